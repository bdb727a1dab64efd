"""Build the convex hull of a binary system from energies, without a database.

python examples/hull.py
"""

from screening.hull import PhaseEntry, build_hull, energies_above

SOURCE = "my-dft-settings"  # energies of two sources never share a hull


def entry(
    name: str, energy_per_atom: float, role: str = "candidate", **amounts: float
) -> PhaseEntry:
    """Describe one phase by its amounts and its energy (eV/atom)."""
    return PhaseEntry(name, amounts, energy_per_atom, SOURCE, role)


hull = build_hull(
    "Na-Cl",
    [
        entry("sodium", -1.31, "element", Na=1),
        entry("chlorine", -1.85, "element", Cl=1),
        entry("rock salt", -3.40, Na=1, Cl=1),
        entry("NaCl3", -2.60, Na=1, Cl=3),
    ],
    SOURCE,
)
for phase in hull.entries:
    print(f"{phase.entry_id:10} {phase.energy_above_hull:.3f} eV/atom above the hull")

(new,) = energies_above(hull, [entry("CsCl type", -3.36, Na=1, Cl=1)])
print(f"{new.entry_id:10} {new.energy_above_hull:.3f} eV/atom above the hull")
