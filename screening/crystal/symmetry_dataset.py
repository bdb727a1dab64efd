"""Symmetry of a crystal as spglib finds it, with one behaviour for all of its versions.

spglib: Togo et al. 2024, doi:10.1080/27660400.2024.2384822.
"""

from __future__ import annotations

import os
import warnings
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

# spglib writes to stderr what the callers try again with another tolerance
os.environ.setdefault("SPGLIB_WARNING", "OFF")


def symmetry_dataset(
    lattice: ArrayLike,
    frac_coords: ArrayLike,
    numbers: ArrayLike,
    symprec: float,
    hall_number: int = 0,
) -> Any:
    """Find the space group, its operations and orbits.

    Parameters
    ----------
    lattice
        Row vectors (Angstrom), shape ``(3, 3)``.
    frac_coords
        Fractional coordinates, shape ``(n, 3)``.
    numbers
        Atomic numbers, shape ``(n,)``.
    symprec
        Distance tolerance (Angstrom).
    hall_number
        Setting of the answer, 1 to 530; 0 for spglib's standard setting.

    Returns
    -------
    spglib.SpglibDataset
        None where spglib finds no symmetry. It says so by None or by an exception, according to its
        version and to a switch that other packages set for the whole process.
    """
    import spglib

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        try:
            return spglib.get_symmetry_dataset(
                (lattice, frac_coords, numbers), symprec=symprec, hall_number=hall_number
            )
        except spglib.SpglibError:
            return None
