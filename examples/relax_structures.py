"""Relax several crystals in one batch, without a database.

python examples/relax_structures.py
"""

from pymatgen.core import Lattice, Structure

from screening.relax import RelaxOptions, relax_structures

rock_salt = Structure.from_spacegroup(
    "Fm-3m", Lattice.cubic(5.9), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]]
)
caesium_chloride = Structure(Lattice.cubic(3.6), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])
colliding = Structure(Lattice.cubic(3.6), ["Na", "Cl"], [[0, 0, 0], [0.02, 0, 0]])

results = relax_structures(
    [rock_salt.get_primitive_structure(), caesium_chloride, colliding],
    RelaxOptions(fmax=0.05),  # eV/Angstrom
    engine="chgnet",
)

# A structure that fails is a result with a state and a reason: it never stops its batch.
for result in results:
    document = result.relaxation
    if result.structure is None:
        print(f"{document.state.value}: {document.reason}")
    else:
        volume = result.structure.volume / len(result.structure)
        print(f"{document.energy_per_atom:.3f} eV/atom, {volume:.1f} Angstrom^3/atom")
