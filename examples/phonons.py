"""Judge the dynamic stability of a crystal with any ASE calculator, without a database.

python examples/phonons.py
"""

from pymatgen.core import Lattice, Structure

from screening.phonon import PhononOptions, phonons
from screening.relax import RelaxOptions, relax_structures

ENGINE = "emt"  # any engine name, or a table entry of an ASE calculator

copper = Structure.from_spacegroup("Fm-3m", Lattice.cubic(3.6), ["Cu"], [[0, 0, 0]])
(relaxed,) = relax_structures(
    [copper.get_primitive_structure()], RelaxOptions(fmax=0.001), engine=ENGINE
)
document = phonons(
    relaxed.structure, PhononOptions(min_length=8.0), structure_id="copper", engine=ENGINE
)
print(f"{document.verdict.value}: lowest frequency {document.min_frequency:.2f} THz")
print(f"{document.n_displacements} displacement in a cell of {document.nsites_supercell} atoms")
