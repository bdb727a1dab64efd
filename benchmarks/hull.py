"""Energies above the hull against pymatgen's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from benchmarks.harness import Report, race, require
from screening.composition import CompositionArray
from screening.elements import symbols
from screening.energy import EnergyModel
from screening.generation import make_generator
from screening.hull import HullOptions, PhaseEntry, build_hull, energies_above

if TYPE_CHECKING:
    from pymatgen.analysis.phase_diagram import PDEntry

CHEMSYS = ("Li", "Mn", "Fe", "P", "O")
SOURCE = "model"
SPREAD = 0.05
"""Standard deviation of the energies of crystals of one composition (eV/atom)."""
TOLERANCE = 1e-8
"""Largest difference of distances (eV/atom): rounding."""


def run(items: int, seed: int, repeats: int) -> Report:
    """Build a hull of five elements and place all phases on it; place new ones on it."""
    diagrams = require("pymatgen.analysis.phase_diagram")
    report = Report(
        f"Energy above the hull of {'-'.join(CHEMSYS)}: all entries of a new hull, and as many "
        "others on the same hull; here with decomposition and formation energy, as documents",
        "pymatgen PhaseDiagram.get_e_above_hull(check_stable=False)",
        packages=("scipy",),
    )
    entries = _entries(2 * items, seed)
    known, new = entries[: len(CHEMSYS) + items], entries[len(CHEMSYS) + items :]
    known_theirs, new_theirs = _theirs(known), _theirs(new)
    trust = HullOptions(outlier_margin=100.0)
    system = "-".join(CHEMSYS)
    hull = build_hull(system, known, SOURCE, trust)
    diagram = diagrams.PhaseDiagram(known_theirs)

    def built() -> list[float]:
        fresh = diagrams.PhaseDiagram(known_theirs)
        return [fresh.get_e_above_hull(entry, check_stable=False) for entry in known_theirs]

    def placed() -> list[float]:
        return [
            diagram.get_e_above_hull(entry, allow_negative=True, check_stable=False)
            for entry in new_theirs
        ]

    for name, ours, peer, order in (
        (
            "build and place",
            lambda: build_hull(system, known, SOURCE, trust).entries,
            built,
            [entry.entry_id for entry in known],
        ),
        (
            "place on a hull",
            lambda: energies_above(hull, new),
            placed,
            [entry.entry_id for entry in new],
        ),
    ):
        row, mine, expected = race(name, "phases/s", ours, peer, repeats=repeats)
        report.rows.append(row)
        above = {entry.entry_id: entry.energy_above_hull for entry in mine}
        difference = float(np.abs(np.array([above[i] for i in order]) - np.array(expected)).max())
        report.check(
            f"largest difference, {name}",
            f"{difference:.1e} eV/atom (allowed {TOLERANCE:.0e})",
            passed=difference <= TOLERANCE,
        )
    report.figures["phases on the hull"] = sum(e.energy_above_hull == 0 for e in hull.entries)
    return report


def _entries(n: int, seed: int) -> list[PhaseEntry]:
    """Make the elements and `n` phases: enumerated formulas, predicted energies plus noise.

    Formation energies serve as energies, so that the elements are at 0.
    """
    generator = make_generator("enumeration", chemsys=CHEMSYS, max_atoms=12, batch_size=10**6)
    listed = CompositionArray.concatenate(
        [generator.batch(number) for number in range(generator.n_batches())]
    )
    rng = np.random.default_rng(seed)
    chosen = listed[rng.integers(len(listed), size=n)]
    energies = EnergyModel.load().predict(chosen).mean + SPREAD * rng.standard_normal(n)
    entries = [PhaseEntry(symbol, {symbol: 1.0}, 0.0, SOURCE, "element") for symbol in CHEMSYS]
    names = chosen.formulas()
    for index, (numbers, counts) in enumerate(zip(chosen.numbers, chosen.counts, strict=True)):
        composition = _composition(numbers.tolist(), counts.tolist())
        entries.append(
            PhaseEntry(f"{index}-{names[index]}", composition, float(energies[index]), SOURCE)
        )
    return entries


def _composition(numbers: list[int], counts: list[int]) -> dict[str, float]:
    return {symbols()[z]: float(n) for z, n in zip(numbers, counts, strict=True) if z}


def _theirs(entries: list[PhaseEntry]) -> list[PDEntry]:
    """Convert to pymatgen's entries."""
    from pymatgen.analysis.phase_diagram import PDEntry
    from pymatgen.core import Composition

    return [
        PDEntry(
            Composition(entry.composition),
            entry.energy_per_atom * sum(entry.composition.values()),
            entry.entry_id,
        )
        for entry in entries
    ]
