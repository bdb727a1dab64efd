"""Crystals as CIF texts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from screening.schemas import SpaceGroupDoc

if TYPE_CHECKING:
    from pymatgen.core import Structure

SYMPREC = 0.01
"""Distance tolerance of the symmetry (Angstrom)."""


def cif_text(structure: Structure) -> str:
    """Write a crystal in its conventional cell with its symmetry; as it is where there is none.

    Parameters
    ----------
    structure
        An ordered structure.
    """
    from pymatgen.io.cif import CifWriter

    found = SpaceGroupDoc.from_structure(structure, SYMPREC)
    return str(CifWriter(structure, symprec=SYMPREC if found else None))
