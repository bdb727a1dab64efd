"""What the networks learn: distances of nearest images, contacts, and bins of distances.

The order of equal atoms means nothing, but a matrix must have one: `canonical_order` gives it from
the distances alone, so that it depends on no file.
"""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from screening.compiled import compiled
from screening.crystal.crystals import Cell, reduced_cell
from screening.elements import column, symbols

Floats = NDArray[np.float64]
AnyFloats = NDArray[np.floating[Any]]
Integers = NDArray[np.int64]

PAPER_RANGE = (0.9488, 23.3361)
"""Shortest and longest distance of AlphaCrystal-II (Angstrom)."""
_ROUND = 0.02


def cell_distances(cell: Cell) -> Floats:
    """Distances (Angstrom) between the nearest images of all atoms, shape ``(n, n)``."""
    lattice, points, _ = reduced_cell(cell)
    return minimum_image(np.ascontiguousarray(lattice), np.ascontiguousarray(points))


@compiled
def minimum_image(lattice: Floats, points: Floats) -> Floats:
    """Distances between nearest images in a reduced cell.

    Parameters
    ----------
    lattice
        Row vectors of a Niggli-reduced cell (Angstrom), shape ``(3, 3)``.
    points
        Fractional coordinates, shape ``(n, 3)``.

    Returns
    -------
    Angstrom, shape ``(n, n)``; 0 on the diagonal.
    """
    n = len(points)
    result = np.zeros((n, n))
    for i in range(n):
        for j in range(i):
            u, v = points[i, 0] - points[j, 0], points[i, 1] - points[j, 1]
            w = points[i, 2] - points[j, 2]
            u, v, w = u - np.round(u), v - np.round(v), w - np.round(w)
            best = np.inf
            for a in range(-1, 2):
                for b in range(-1, 2):
                    for c in range(-1, 2):
                        square = 0.0
                        for axis in range(3):
                            x = (u + a) * lattice[0, axis] + (v + b) * lattice[1, axis]
                            x += (w + c) * lattice[2, axis]
                            square += x * x
                        best = min(best, square)
            result[i, j] = result[j, i] = np.sqrt(best)
    return result


@cache
def vesta_limits() -> Floats:
    """Longest bonds of VESTA (Angstrom) by atomic numbers, shape ``(104, 104)``; 0 for none.

    The table of VESTA 2019 as pymatgen ships it.
    """
    import yaml

    spec = find_spec("pymatgen.analysis")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    path = Path(spec.submodule_search_locations[0]) / "vesta_cutoffs.yaml"
    numbers = {symbol: number for number, symbol in enumerate(symbols()) if symbol}
    limits = np.zeros((len(symbols()), len(symbols())))
    for line in path.read_text(encoding="utf-8").splitlines():
        pair, _, length = line.partition("]:")
        ends = [part.strip(" '\"") for part in pair.strip(" ?[").split(",")]
        if len(ends) == 2 and all(end in numbers for end in ends):
            a, b = numbers[ends[0]], numbers[ends[1]]
            limits[a, b] = limits[b, a] = float(yaml.safe_load(length))
    return limits


def vesta_contacts(distances: AnyFloats, numbers: Integers) -> NDArray[np.bool_]:
    """Contacts by the rule of AlphaCrystal's code: not longer than VESTA's longest bond."""
    limits = vesta_limits()[numbers[..., :, None], numbers[..., None, :]]
    contacts: NDArray[np.bool_] = (distances <= limits) & ~np.eye(numbers.shape[-1], dtype=bool)
    return contacts


def bin_edges(n_bins: int, limits: tuple[float, float]) -> Floats:
    """Edges of equally wide bins (Angstrom), shape ``(n_bins + 1,)``."""
    return np.linspace(*limits, n_bins + 1)


def atom_order(numbers: Integers, distances: Floats) -> Integers:
    """Order of the atoms: rarest element first, then the least electronegative; then by distances.

    Of equal atoms the next one is that with the shortest distances to those already placed.

    Parameters
    ----------
    numbers
        Atomic numbers, shape ``(n,)``.
    distances
        Angstrom, shape ``(n, n)``.
    """
    return canonical_order(kinds_of(numbers), np.ascontiguousarray(distances))


def kinds_of(numbers: Integers) -> Integers:
    """Give each atom the place of its element in `atom_order`, shape ``(n,)``."""
    unique, inverse, counts = np.unique(numbers, return_inverse=True, return_counts=True)
    order = np.lexsort((unique, column("pymatgen_electronegativity")[unique], counts))
    place = np.empty(len(unique), dtype=np.int64)
    place[order] = np.arange(len(unique))
    return place[inverse]


@compiled
def _comes_first(rounded: Floats, own: Floats, placed: Integers, i: int, j: int) -> bool:
    """Tell whether atom i has shorter distances to the placed atoms, or to all, than atom j."""
    for k in placed:
        if rounded[i, k] != rounded[j, k]:
            return rounded[i, k] < rounded[j, k]  # type: ignore[no-any-return]
    for k in range(len(own)):
        if own[i, k] != own[j, k]:
            return own[i, k] < own[j, k]  # type: ignore[no-any-return]
    return False


@compiled
def canonical_order(kinds: Integers, distances: Floats) -> Integers:
    """Order atoms by kind and, within a kind, greedily by distances; shape ``(n,)``."""
    n = len(kinds)
    rounded = np.round(distances / _ROUND)
    own = np.zeros((n, n))
    for i in range(n):
        own[i] = np.sort(rounded[i])
    order = np.zeros(n, dtype=np.int64)
    taken = np.zeros(n, dtype=np.bool_)
    for place in range(n):
        best = -1
        for i in range(n):
            if taken[i]:
                continue
            if (
                best < 0
                or kinds[i] < kinds[best]
                or (kinds[i] == kinds[best] and _comes_first(rounded, own, order[:place], i, best))
            ):
                best = i
        order[place] = best
        taken[best] = True
    return order
