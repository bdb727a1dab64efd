"""The Bravais class of each space group, and of a crystal with its conventional cell."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from screening.crystal.symmetry_dataset import symmetry_dataset
from screening.crystal.systems import crystal_family
from screening.errors import InputError
from screening.symmetry.cells import BRAVAIS, cell_parameters, rhombohedral

if TYPE_CHECKING:
    from numpy.typing import NDArray

N_SPACE_GROUPS = 230


@cache
def space_group_symbols() -> tuple[str, ...]:
    """Short Hermann-Mauguin symbols by number in the International Tables; index 0 is empty."""
    import spglib

    symbols = [""] * (N_SPACE_GROUPS + 1)
    for hall in range(530, 0, -1):  # backwards: the first setting of a group is the standard one
        kind = spglib.get_spacegroup_type(hall)
        symbols[kind.number] = kind.international_short
    return tuple(symbols)


@cache
def bravais_classes() -> NDArray[np.intp]:
    """Position in `BRAVAIS` of each space group, shape ``(231,)``; index 0 is -1."""
    classes = [-1]
    for number, symbol in enumerate(space_group_symbols()[1:], start=1):
        system = crystal_family(number)
        centring = {"A": "C", "B": "C"}.get(symbol[0], symbol[0])
        name = "rhombohedral P" if centring == "R" else f"{system} {centring}"
        classes.append(BRAVAIS.index(name))
    array = np.array(classes)
    array.setflags(write=False)
    return array


def class_sums(groups: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sum probabilities of space groups, ``(n, 230)``, to those of classes, ``(n, 14)``."""
    member = bravais_classes()[1:, None] == np.arange(len(BRAVAIS))
    sums: NDArray[np.float64] = groups @ member.astype(np.float64)
    return sums


def bravais_class(number: int) -> str:
    """Bravais class of a space group.

    Raises
    ------
    InputError
        If there is no such space group.
    """
    if not 1 <= number <= N_SPACE_GROUPS:
        raise InputError(f"no space group {number=}: use 1 to {N_SPACE_GROUPS}")
    return BRAVAIS[bravais_classes()[number]]


@dataclass(frozen=True)
class ConventionalCell:
    """The conventional cell of a crystal, in the setting of its Bravais class.

    Attributes
    ----------
    space_group
        Number in the International Tables.
    parameters
        a, b, c (Angstrom), alpha, beta, gamma (degrees), shape ``(6,)``.
    n_atoms
        Atoms in the cell.
    """

    space_group: int
    parameters: NDArray[np.float64]
    n_atoms: int


def conventional_cell(
    lattice: NDArray[np.float64],
    frac_coords: NDArray[np.float64],
    numbers: NDArray[np.int_],
    *,
    space_group: int | None = None,
    symprec: float = 0.1,
) -> ConventionalCell | None:
    """Find the idealised conventional cell of a crystal with spglib.

    Parameters
    ----------
    lattice
        Row vectors (Angstrom), shape ``(3, 3)``.
    frac_coords
        Fractional coordinates, shape ``(n, 3)``.
    numbers
        Atomic numbers, shape ``(n,)``.
    space_group
        The group that is expected: other tolerances than `symprec` are tried until spglib finds it.
    symprec
        Tolerance (Angstrom), tried first.

    Returns
    -------
    The cell, or None if spglib finds no symmetry, or not the expected group.
    """
    cell = (np.asarray(lattice), np.asarray(frac_coords), np.asarray(numbers))
    others = (0.05, 0.02, 0.01, 0.2, 0.001) if space_group is not None else ()
    for tolerance in (symprec, *others):
        found = symmetry_dataset(*cell, tolerance)
        if found is not None and space_group in {None, found.number}:
            standard = cell_parameters(np.asarray(found.std_lattice))
            n_atoms = len(found.std_types)
            return _in_class_setting(found.number, found.international[0], standard, n_atoms)
    return None


def _in_class_setting(
    number: int, centring: str, standard: NDArray[np.float64], n_atoms: int
) -> ConventionalCell:
    """Turn spglib's standard setting into the one of the Bravais class."""
    if centring == "R":
        return ConventionalCell(number, rhombohedral(standard[0], standard[2]), n_atoms // 3)
    if centring == "A":  # the centred face b-c becomes a-b
        standard = standard[[1, 2, 0, 4, 5, 3]]
    return ConventionalCell(number, standard, n_atoms)
