"""Space groups as arrays: operations, Wyckoff positions, normalisers, free lattice parameters.

The tables are the text files that pyxtal ships (Fredericks et al. 2021,
doi:10.1016/j.cpc.2020.107810); they are read without importing pyxtal. The settings are those of
the International Tables: unique axis b and cell choice 1, origin choice 2, hexagonal axes.
Coordinates are column vectors (``x' = W x + w``), lattices are row vectors in Angstrom.
"""

from __future__ import annotations

import ast
import csv
import json
import re
from dataclasses import dataclass
from fractions import Fraction
from functools import cache, cached_property
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from screening.crystal.systems import crystal_family
from screening.errors import InputError

Floats = NDArray[np.float64]

_TERM = re.compile(r"([+-]?)(\d+/\d+|\d+|)([xyz]?)")
_STANDARD_CHOICES = frozenset({"", "b", "b1", "2", "H"})
LETTERS = "abcdefghijklmnopqrstuvwxyzA"

_THIRD = 1 / 3
_PRIMITIVE = {
    "P": np.eye(3),
    "A": np.array([[1, 0, 0], [0, 0.5, -0.5], [0, 0.5, 0.5]]),
    "C": np.array([[0.5, -0.5, 0], [0.5, 0.5, 0], [0, 0, 1]]),
    "I": np.array([[-0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0.5, 0.5, -0.5]]),
    "F": np.array([[0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]]),
    "R": np.array(
        [
            [2 * _THIRD, _THIRD, _THIRD],
            [-_THIRD, _THIRD, _THIRD],
            [-_THIRD, -2 * _THIRD, _THIRD],
        ]
    ),
}


@dataclass(frozen=True)
class WyckoffPosition:
    """One Wyckoff position of a space group.

    Attributes
    ----------
    letter
        Wyckoff letter ("A" follows "z").
    multiplicity
        Positions in the conventional cell.
    matrices, offsets
        The positions as functions of ``(x, y, z)``, shapes ``(multiplicity, 3, 3)`` and
        ``(multiplicity, 3)``; those of one primitive cell come first.
    free
        Which of x, y, z the position depends on, shape ``(3,)``, bool.
    """

    letter: str
    multiplicity: int
    matrices: Floats
    offsets: Floats
    free: NDArray[np.bool_]

    @property
    def dof(self) -> int:
        """Number of free coordinates, 0 to 3."""
        return int(self.free.sum())

    @cached_property
    def _inverse(self) -> Floats:
        """Pseudo-inverse that turns a position into its free coordinates."""
        inverse: Floats = np.linalg.pinv(self.matrices[0][:, self.free])
        return inverse

    def orbit(self, parameters: Floats) -> Floats:
        """All positions, shape ``(multiplicity, 3)``, for the free coordinates ``(dof,)``."""
        full = np.zeros(3)
        full[self.free] = parameters
        return self.matrices @ full + self.offsets

    def solve(self, positions: Floats) -> tuple[Floats, float]:
        """Find the free coordinates of an orbit.

        Parameters
        ----------
        positions
            Fractional coordinates of atoms of the orbit, shape ``(m, 3)``.

        Returns
        -------
        Free coordinates in [0, 1), shape ``(dof,)``, and the largest residual (fractions).
        """
        targets = (positions[:, None, :] + _SHIFTS[None]).reshape(-1, 3) - self.offsets[0]
        matrix = self.matrices[0][:, self.free]
        if not self.dof:
            residual = np.abs(targets).max(axis=1)
            return np.zeros(0), float(residual.min())
        values = targets @ self._inverse.T
        residual = np.abs(values @ matrix.T - targets).max(axis=1)
        best = residual <= residual.min() + 1e-6
        candidates = np.round(values[best] % 1.0, 9) % 1.0
        order = np.lexsort(candidates.T[::-1])
        chosen: Floats = candidates[order[0]]
        return chosen, float(residual.min())


_SHIFTS = np.array([(i, j, k) for i in (-1, 0, 1) for j in (-1, 0, 1) for k in (-1, 0, 1)], float)


@dataclass(frozen=True)
class SpaceGroup:
    """One of the 230 space groups in its standard setting.

    Attributes
    ----------
    number
        1 to 230.
    hall_number
        spglib's number of the setting.
    symbol
        Hermann-Mauguin symbol.
    positions
        Wyckoff positions by letter, from "a" to the general one.
    centring
        P, A, C, I, F or R (obverse).
    normaliser
        Coset representatives of the affine normaliser: rotations ``(n, 3, 3)``, shifts ``(n, 3)``,
        and the letters into which they take the positions, ``(n, n_letters)``.
    polar
        Basis of the directions in which the origin is free, shape ``(d, 3)``.
    """

    number: int
    hall_number: int
    symbol: str
    positions: tuple[WyckoffPosition, ...]
    centring: str
    normaliser: tuple[Floats, Floats, NDArray[np.int64]]
    polar: Floats

    @property
    def rotations(self) -> Floats:
        """Rotation parts of all operations, shape ``(n, 3, 3)``."""
        return self.positions[-1].matrices

    @property
    def translations(self) -> Floats:
        """Translation parts of all operations, shape ``(n, 3)``."""
        return self.positions[-1].offsets

    @cached_property
    def n_centring(self) -> int:
        """Lattice points in the conventional cell."""
        return round(1 / abs(float(np.linalg.det(self.primitive))))

    @property
    def primitive(self) -> Floats:
        """Rows: primitive vectors in units of the conventional ones."""
        return _PRIMITIVE[self.centring]

    @cached_property
    def conventional(self) -> Floats:
        """Rows: conventional vectors in units of the primitive ones."""
        return np.asarray(np.linalg.inv(self.primitive), dtype=np.float64)

    @property
    def crystal_system(self) -> str:
        """Triclinic to cubic; trigonal and hexagonal groups are both "hexagonal" (their axes)."""
        return crystal_family(self.number)


@cache
def parse_operation(text: str) -> tuple[Floats, Floats]:
    """Read "x+1/2, -y, z" as a matrix ``(3, 3)`` and a shift ``(3,)``, not to be changed."""
    matrix, shift = np.zeros((3, 3)), np.zeros(3)
    for row, expression in enumerate(text.replace(" ", "").split(",")):
        for sign, number, variable in _TERM.findall(expression):
            if not number and not variable:
                continue
            value = float(Fraction(number)) if number else 1.0
            value = -value if sign == "-" else value
            if variable:
                matrix[row, "xyz".index(variable)] += value
            else:
                shift[row] += value
    return matrix, shift


def _database() -> Path:
    spec = find_spec("pyxtal")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "database"


@cache
def _wyckoff_texts() -> dict[int, str]:
    csv.field_size_limit(10_000_000)
    with (_database() / "wyckoff_list.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    return {int(row[0]): row[1] for row in rows if row[0] and row[1].startswith("[")}


@cache
def _normaliser_texts() -> dict[str, dict[str, list[str]]]:
    text = (_database() / "wyckoff_sets.json").read_text(encoding="utf-8")
    tables: dict[str, dict[str, list[str]]] = json.loads(text)
    return tables


@cache
def _standard_halls() -> dict[int, tuple[int, str]]:
    """Space group number -> spglib's hall number and symbol of the standard setting."""
    import spglib

    found: dict[int, tuple[int, str]] = {}
    for hall in range(1, 531):
        kind = spglib.get_spacegroup_type(hall)
        if kind.choice in _STANDARD_CHOICES:
            found.setdefault(kind.number, (hall, kind.international_short))
    return found


def _positions(number: int) -> tuple[WyckoffPosition, ...]:
    texts: list[list[str]] = ast.literal_eval(_wyckoff_texts()[number])
    positions = []
    for letter, group in zip(LETTERS, reversed(texts), strict=False):
        operations = [parse_operation(text) for text in group]
        matrices = np.array([matrix for matrix, _ in operations])
        offsets = np.array([shift for _, shift in operations])
        free = np.abs(matrices[0]).sum(axis=0) > 0
        positions.append(WyckoffPosition(letter, len(group), matrices, offsets, free))
    return tuple(positions)


def _find_centring(general: WyckoffPosition) -> str:
    pure = [
        tuple(np.round(shift % 1.0, 6))
        for matrix, shift in zip(general.matrices, general.offsets, strict=True)
        if np.array_equal(matrix, np.eye(3))
    ]
    names = {(0.0, 0.5, 0.5): "A", (0.5, 0.5, 0.0): "C", (0.5, 0.5, 0.5): "I"}
    if len(pure) == 1:
        return "P"
    if len(pure) == 2:
        return next(names[point] for point in pure if any(point))
    return "R" if len(pure) == 3 else "F"


def _normaliser(
    number: int, positions: tuple[WyckoffPosition, ...]
) -> tuple[Floats, Floats, NDArray[np.int64]]:
    table = _normaliser_texts()[str(number)]
    operations = [parse_operation(text) for text in table["Coset Representative"]]
    sources = np.array(  # the table says which position comes to lie on each letter
        [[LETTERS.index(letter) for letter in text.split()] for text in table["Transformed WP"]]
    )
    letters = np.argsort(sources, axis=1)
    assert letters.shape[1] == len(positions)
    return (
        np.array([matrix for matrix, _ in operations]),
        np.array([shift for _, shift in operations]),
        letters,
    )


def _polar_directions(rotations: Floats) -> Floats:
    """Basis of the vectors that every rotation keeps."""
    mean = rotations.mean(axis=0)
    keep = [axis for axis in np.eye(3) if np.allclose(mean @ axis, axis)]
    return np.array(keep).reshape(-1, 3)


@cache
def space_group(number: int) -> SpaceGroup:
    """Tables of one space group (kept after the first call).

    Raises
    ------
    InputError
        If `number` is not 1 to 230.
    """
    if not 1 <= number <= 230:
        raise InputError(f"space group {number=} does not exist: use 1 to 230")
    positions = _positions(number)
    hall, symbol = _standard_halls()[number]
    return SpaceGroup(
        number=number,
        hall_number=hall,
        symbol=symbol,
        positions=positions,
        centring=_find_centring(positions[-1]),
        normaliser=_normaliser(number, positions),
        polar=_polar_directions(positions[-1].matrices),
    )
