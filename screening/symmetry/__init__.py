"""The fourth stage: Bravais lattices, space groups and cells predicted from compositions alone."""

from screening.symmetry.bravais import bravais_class, conventional_cell
from screening.symmetry.cells import BRAVAIS
from screening.symmetry.model import SymmetryModel, volume_per_atom

__all__ = [
    "BRAVAIS",
    "SymmetryModel",
    "bravais_class",
    "conventional_cell",
    "volume_per_atom",
]
