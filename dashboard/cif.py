"""Crystals as CIF texts that read back as the same crystal, in pymatgen and in ASE."""

from __future__ import annotations

import warnings
from io import StringIO
from typing import TYPE_CHECKING

import numpy as np

from screening.crystal.distances import fingerprint
from screening.engines.descent.symmetry import symmetrised

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pymatgen.core import Structure

SYMPREC = 0.01
"""Distance tolerance of the symmetry (Angstrom)."""
EXACT = 1e-4
"""The same for a crystal that has its symmetry exactly."""
DIGITS = 10
"""Decimals of cell and coordinates: readers merge images that differ by less than 1e-4 only."""
SAME = 0.01
"""Fingerprint difference up to which a CIF holds the crystal that was written."""


def cif_text(structure: Structure) -> str:
    """Write a crystal in its conventional cell with its symmetry; as it is where there is none.

    The crystal is moved to its exact symmetry first: near a special position, readers find more
    atoms than were written. The text is read back with pymatgen and ASE; a crystal that either of
    them does not find in it is written without symmetry.

    Parameters
    ----------
    structure
        An ordered structure.
    """
    from pymatgen.io.cif import CifWriter

    crystal = right_handed(structure)
    exact = symmetrised(crystal, SYMPREC)
    if exact is not None:
        text = str(CifWriter(exact, symprec=EXACT, significant_figures=DIGITS))
        if reads_back(text, crystal):
            return text
    return str(CifWriter(crystal, significant_figures=DIGITS))


def reads_back(text: str, structure: Structure) -> bool:
    """Whether pymatgen and ASE read a crystal from a CIF.

    Compared are the composition, the volume per atom, and the fingerprint of
    `screening.crystal.distances`, which does not depend on the choice of the cell.

    Parameters
    ----------
    text
        The CIF.
    structure
        The crystal that it should hold.
    """
    try:
        return all(_same(structure, read) for read in _read(text))
    except Exception:  # noqa: BLE001 - a text that a reader refuses is not that crystal
        return False


def _read(text: str) -> Iterator[Structure]:
    """Read a CIF with both programs."""
    from ase.io import read
    from pymatgen.core import Structure
    from pymatgen.io.ase import AseAtomsAdaptor

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield Structure.from_str(text, fmt="cif")
        yield AseAtomsAdaptor.get_structure(read(StringIO(text), format="cif"))


def _same(first: Structure, second: Structure) -> bool:
    if first.composition.reduced_formula != second.composition.reduced_formula:
        return False
    if not np.isclose(first.volume / len(first), second.volume / len(second), rtol=1e-2):
        return False
    difference = _fingerprint(first) - _fingerprint(second)
    return bool(np.abs(difference).max() < SAME)


def _fingerprint(structure: Structure) -> np.ndarray:
    numbers = np.array([site.specie.Z for site in structure])
    return fingerprint(structure.lattice.matrix, structure.frac_coords, numbers)


def right_handed(structure: Structure) -> Structure:
    """Turn the axes of a left-handed cell around; the crystal stays as it is.

    A CIF knows lengths and angles only, and pymatgen writes the mirror image into a POSCAR.
    """
    if structure.lattice.volume and np.linalg.det(structure.lattice.matrix) > 0:
        return structure
    from pymatgen.core import Structure as Crystal

    species = [site.species for site in structure]
    return Crystal(-structure.lattice.matrix, species, -structure.frac_coords, to_unit_cell=True)
