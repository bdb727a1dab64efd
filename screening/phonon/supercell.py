"""Supercells that keep the crystal's symmetry, are long enough, and as small as possible."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from screening.phonon.cell import PrimitiveCell

CENTERINGS = (
    np.eye(3, dtype=np.int64),
    np.array([[0, 1, 1], [1, 0, 1], [1, 1, 0]]),
    np.array([[-1, 1, 1], [1, -1, 1], [1, 1, -1]]),
)
"""Primitive, face- and body-centred superlattices: often the roundest for their size."""
MAX_REPEAT = 12
SLACK = 1.6
"""How much larger than the smallest a supercell may be that holds more special points."""


def choose_supercell(
    cell: PrimitiveCell, min_length: float, max_atoms: int
) -> NDArray[np.int64] | None:
    """Choose a small supercell that is long enough and keeps the symmetry.

    Most instabilities are at special points of the zone boundary, and only where the supercell is
    commensurate with a point are its frequencies exact. So, among supercells up to 1.6 times as
    large as the smallest, the one with the most special points is taken (for rock salt 64 atoms
    with X and L, not 54 without).

    Parameters
    ----------
    cell
        The primitive cell.
    min_length
        Shortest vector of the superlattice (Angstrom).
    max_atoms
        Not exceeded for the sake of special points; the smallest supercell may have more.

    Returns
    -------
    numpy.ndarray or None
        Matrix ``(3, 3)`` whose rows are the new vectors in terms of the primitive ones; None if
        even the largest that was tried is too short.
    """
    points = np.array(list(cell.points.values()))
    by_size: dict[int, list[NDArray[np.int64]]] = {}
    for matrix in _candidates(cell.lattice, cell.conventional, min_length):
        by_size.setdefault(abs(round(float(np.linalg.det(matrix)))), []).append(matrix)
    best: tuple[int, int, float, list[list[int]]] | None = None
    largest = np.inf
    for size in sorted(by_size):
        if size > largest:
            break
        for matrix in by_size[size]:
            length = shortest_vector(matrix @ cell.lattice)
            if length < min_length or not _keeps_symmetry(matrix, cell.rotations):
                continue
            if best is None:
                largest = max(size, min(SLACK * size, max_atoms / len(cell.numbers)))
            rank = (-_commensurate(matrix, points), size, -length, matrix.tolist())
            best = rank if best is None else min(best, rank)
    return None if best is None else np.array(best[3], dtype=np.int64)


def _commensurate(matrix: NDArray[np.int64], points: NDArray[np.float64]) -> int:
    """Count the q-points (fractions) whose waves fit into the supercell."""
    phases = points @ matrix.T
    return int(np.isclose(phases, np.rint(phases), atol=1e-6).all(axis=1).sum())


def _candidates(
    primitive: NDArray[np.float64], conventional: NDArray[np.float64], min_length: float
) -> Iterator[NDArray[np.int64]]:
    """Multiples of the primitive and the conventional cell, plain and centred."""
    to_conventional = np.rint(conventional @ np.linalg.inv(primitive)).astype(np.int64)
    for basis in (np.eye(3, dtype=np.int64), to_conventional):
        # no vector of a repeated cell is longer than needed to put its plane spacing at min_length
        spacing = 1 / np.linalg.norm(np.linalg.inv(basis @ primitive), axis=0)
        most = np.minimum(np.ceil(min_length / spacing).astype(int), MAX_REPEAT)
        for repeats in product(*(range(1, n + 1) for n in most)):
            for centering in CENTERINGS:
                yield centering @ np.diag(repeats) @ basis


def shortest_vector(lattice: NDArray[np.float64]) -> float:
    """Length of the shortest vector of a lattice (Angstrom); vectors as rows."""
    from spglib import delaunay_reduce

    reduced = delaunay_reduce(lattice)
    if reduced is None:
        reduced = lattice
    combinations = np.array(list(product((-1, 0, 1), repeat=3)))
    lengths = np.linalg.norm(combinations[np.any(combinations, axis=1)] @ reduced, axis=1)
    return float(lengths.min())


def _keeps_symmetry(matrix: NDArray[np.int64], rotations: NDArray[np.int64]) -> bool:
    """Tell whether all rotations take the superlattice to itself."""
    turned = np.linalg.inv(matrix.T) @ rotations @ matrix.T
    return bool(np.allclose(turned, np.rint(turned), atol=1e-6))
