"""How well a choice of Wyckoff positions suits a map: atoms of an orbit have the same distances.

Symmetry carries each atom of an orbit to each other one, so their rows of the map are equal but for
the order of equal atoms. Choices whose orbits can only be made of atoms with different rows cannot
give the map.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from screening.compiled import compiled

if TYPE_CHECKING:
    from screening.structure.alphacrystal.assignment import MapTarget

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

DISTANCE_SPREAD = 0.15
"""Root mean square difference (Angstrom) of rows of one orbit that predicted maps have."""
CONTACT_SPREAD = 0.1
"""The same of contacts."""


@compiled
def sorted_rows(matrix: Floats, kinds: Integers) -> Floats:
    """Sort each row of a map within each element.

    Parameters
    ----------
    matrix
        Distances or contacts, shape ``(n, n)``.
    kinds
        Element of each atom, ascending, shape ``(n,)``.
    """
    n = len(kinds)
    rows = np.zeros((n, n))
    for i in range(n):
        start = 0
        for stop in range(1, n + 1):
            if stop == n or kinds[stop] != kinds[start]:
                rows[i, start:stop] = np.sort(matrix[i, start:stop])
                start = stop
    return rows


@compiled
def misfit(rows: Floats, kinds: Integers, orbit_kinds: Integers, sizes: Integers) -> float:
    """Root mean square difference of the rows within orbits, large orbits chosen first.

    Parameters
    ----------
    rows
        See `sorted_rows`, shape ``(n, n)``.
    kinds
        Element of each atom, shape ``(n,)``.
    orbit_kinds, sizes
        Element and number of atoms of each orbit, shape ``(o,)``.
    """
    n = len(kinds)
    squares = np.zeros((n, n))
    for i in range(n):
        for j in range(n):
            squares[i, j] = ((rows[i] - rows[j]) ** 2).sum()
    free = np.ones(n, dtype=np.bool_)
    total = 0.0
    for orbit in np.argsort(-sizes):
        own = np.flatnonzero(free & (kinds == orbit_kinds[orbit]))
        least, best = np.inf, own[: sizes[orbit]]
        for first in own:
            nearest = own[np.argsort(squares[first][own])[: sizes[orbit]]]
            cost = squares[first][nearest].sum()
            if cost < least:
                least, best = cost, nearest
        free[best] = False
        total += least
    return np.sqrt(total) / n  # type: ignore[no-any-return]


class OrbitFit:
    """Likelihood of choices of Wyckoff positions by a map.

    Parameters
    ----------
    target
        The map; contacts with expected distances count by both.
    kinds
        Element of each atom as `kinds_of` gives it, ascending, shape ``(n,)``.
    """

    def __init__(self, target: MapTarget, kinds: Integers) -> None:
        self.kinds = kinds
        self.kind_of = dict(zip(target.numbers.tolist(), kinds.tolist(), strict=True))
        spread = CONTACT_SPREAD if target.contacts else DISTANCE_SPREAD
        maps = [(target.matrix, spread)]
        if target.expected is not None:
            maps.append((target.expected, DISTANCE_SPREAD))
        self.rows = [
            sorted_rows(np.ascontiguousarray(matrix, dtype=np.float64), kinds) / spread
            for matrix, spread in maps
        ]
        self._known: dict[tuple[tuple[int, int], ...], float] = {}

    def likelihood(self, orbits: list[tuple[int, int]]) -> float:
        """Give the likelihood, 1 for a perfect fit.

        Parameters
        ----------
        orbits
            Atoms in the primitive cell and atomic number of each orbit.
        """
        key = tuple(sorted(orbits))
        if key not in self._known:
            sizes = np.array([size for size, _ in key])
            kinds = np.array([self.kind_of[number] for _, number in key])
            squares = [misfit(rows, self.kinds, kinds, sizes) ** 2 for rows in self.rows]
            self._known[key] = float(np.exp(-sum(squares)))
        return self._known[key]
