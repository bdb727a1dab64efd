"""Known frameworks with other elements on each orbit, whatever the stoichiometry they came with.

Retrieval by stoichiometry exchanges whole classes of orbits. Here each orbit of a prototype may
take any element, as in Ryan et al. 2018 (doi:10.1021/jacs.8b03913): an ordered variant of a simpler
crystal, or two elements of a known crystal that become one. The cost of an element on an orbit is
its distance, in the bank's substitution model, from the nearest element known there.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from screening.compiled import compiled
from screening.crystal.space_groups import space_group
from screening.elements import MAX_Z
from screening.prototypes.substitution import soft_norm

if TYPE_CHECKING:
    from collections.abc import Sequence

    from screening.crystal.crystals import Crystal
    from screening.prototypes.arrays import PrototypeArrays

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_MAX_ORBITS = 16
_MAX_NODES = 3000
_FAR = 1e3


@dataclass(frozen=True)
class Recoloured:
    """A prototype with an element on each orbit.

    Attributes
    ----------
    prototype
        Index in the bank.
    species
        Atomic number of each orbit.
    cost
        Mean over the atoms of the distance from the nearest element known on their orbit.
    """

    prototype: int
    species: tuple[int, ...]
    cost: float


@compiled
def _is_plain(classes: Ints, elements: Ints, k: int) -> bool:
    """Tell whether each class has one of the `k` elements, and each element one class."""
    element_of = np.full(len(classes), -1)
    class_of = np.full(k, -1)
    for c, e in zip(classes, elements):  # noqa: B905 - numba knows no strict
        if element_of[c] not in {-1, e} or class_of[e] not in {-1, c}:
            return False
        element_of[c] = e
        class_of[e] = c
    return True


@compiled
def _make_room(total: float, owners: Ints, chosen: Ints, best: Floats) -> int:
    """Drop the worst row and give the place of a new one with cost `total`."""
    row = len(best) - 1
    while row > 0 and best[row - 1] > total:
        best[row], owners[row] = best[row - 1], owners[row - 1]
        chosen[row] = chosen[row - 1]
        row -= 1
    return row


@compiled
def _assign(  # noqa: PLR0917 - one loop without recursion, as numba wants it
    starts: Ints,
    multiplicities: Ints,
    classes: Ints,
    costs: Floats,
    counts: Ints,
    limits: tuple[int, int],
) -> tuple[Ints, Ints, Floats]:
    """Cheapest assignments of ``k`` elements to the orbits of several prototypes.

    `starts` (p + 1,) cut `multiplicities`, `classes` (o,) and `costs` (o, k) by prototype; each
    element must be given to orbits with `counts` (k,) atoms. Depth first, bounded by the worst of
    the `limits[0]` best so far; at most `limits[1]` steps for one prototype. Assignments that only
    exchange whole classes one for one are left out. Gives the prototypes (-1 for none), the
    elements of their orbits, and the costs.
    """
    n_best, n_nodes = limits
    k = len(counts)
    width = 0
    for p in range(len(starts) - 1):
        width = max(width, starts[p + 1] - starts[p])
    owners = np.full(n_best, -1)
    chosen = np.zeros((n_best, width), dtype=np.int64)
    best = np.full(n_best, 1e9)
    place = np.full(width + 1, -1)
    spent = np.zeros(width + 1)
    left = counts.copy()
    floor = np.zeros(width + 1)
    for p in range(len(starts) - 1):
        first, n = starts[p], starts[p + 1] - starts[p]
        floor[n] = 0.0
        for o in range(n - 1, -1, -1):
            floor[o] = floor[o + 1] + costs[first + o].min()
        left[:] = counts
        depth, nodes = 0, 0
        place[0] = -1
        spent[0] = 0.0
        while depth >= 0 and nodes < n_nodes:
            if place[depth] >= 0:
                left[place[depth]] += multiplicities[first + depth]
            place[depth] += 1
            while place[depth] < k and (
                left[place[depth]] < multiplicities[first + depth]
                or spent[depth] + costs[first + depth, place[depth]] + floor[depth + 1]
                >= best[n_best - 1]
            ):
                place[depth] += 1
            if place[depth] == k:
                place[depth] = -1
                depth -= 1
                continue
            nodes += 1
            left[place[depth]] -= multiplicities[first + depth]
            total = spent[depth] + costs[first + depth, place[depth]]
            if depth + 1 < n:
                depth += 1
                spent[depth] = total
                place[depth] = -1
                continue
            if _is_plain(classes[first : first + n], place[:n], k):
                continue
            row = _make_room(total, owners, chosen, best)
            best[row], owners[row] = total, p
            chosen[row, :n] = place[:n]
    return owners, chosen, best


class Recolourings:
    """The orbits of a bank, by the number of atoms in the primitive cell.

    Parameters
    ----------
    bank
        The bank.
    """

    def __init__(self, bank: PrototypeArrays) -> None:
        self._bank = bank
        lengths = np.diff(bank.orbit_start)
        self._lengths = lengths.astype(np.int64)
        self._owners = np.repeat(np.arange(bank.n_prototypes), lengths)

    @cached_property
    def multiplicities(self) -> Ints:
        """Atoms of each orbit in the primitive cell, shape ``(o,)``."""
        groups = self._bank.groups[self._owners].tolist()
        letters = self._bank.letters.tolist()
        known = {
            (g, w): space_group(g).positions[w].multiplicity // space_group(g).n_centring
            for g, w in set(zip(groups, letters, strict=True))
        }
        pairs = zip(groups, letters, strict=True)
        return np.array([known[pair] for pair in pairs], dtype=np.int64)

    @cached_property
    def distances(self) -> NDArray[np.float32]:
        """Distance of each element from the nearest known on an orbit, shape ``(o, MAX_Z + 1)``."""
        bank = self._bank
        first = np.searchsorted(bank.prototypes, np.arange(bank.n_prototypes))
        result = np.full((len(self._owners), MAX_Z + 1), _FAR, dtype=np.float32)
        for c in range(bank.elements.shape[1]):
            nearest = np.minimum.reduceat(self._table[bank.elements[:, c]], first, axis=0)
            mine = np.flatnonzero(bank.classes == c)
            result[mine] = nearest[self._owners[mine]]
        return result

    def _distances_without(self, formula: str) -> dict[int, NDArray[np.float32] | None]:
        """For prototypes of a formula: distances by class without it, None if no other is left."""
        bank = self._bank
        owners = bank.prototypes[self._rows_of.get(formula, [])]
        result: dict[int, NDArray[np.float32] | None] = {}
        for prototype in np.unique(owners).tolist():
            rows = bank.rows_of(prototype, without=formula)
            nearest = self._table[bank.elements[rows]]
            result[prototype] = nearest.min(axis=0) if len(rows) else None
        return result

    @cached_property
    def _rows_of(self) -> dict[str, list[int]]:
        rows: dict[str, list[int]] = {}
        for row, formula in enumerate(self._bank.formulas):
            rows.setdefault(formula, []).append(row)
        return rows

    @cached_property
    def _table(self) -> NDArray[np.float32]:
        """Distances of the elements in the substitution model, ``(MAX_Z + 1, MAX_Z + 1)``."""
        places = self._bank.model.places
        return soft_norm(places[:, None] - places[None]).astype(np.float32)

    def costs(self, placed: Sequence[tuple[int, Crystal]], without: str | None = None) -> Floats:
        """Mean over the atoms, and largest, distance from the nearest element on each orbit.

        Parameters
        ----------
        placed
            ``n`` prototypes (indices in the bank) with elements on their orbits.
        without
            Reduced formula of decorations that are to be ignored.

        Returns
        -------
        Shape ``(n, 2)``.
        """
        changed = self._distances_without(without) if without is not None else {}
        result = np.empty((len(placed), 2))
        for row, (prototype, crystal) in enumerate(placed):
            orbits = self._bank.orbits_of(prototype)
            distances = self.distances[orbits]
            if prototype in changed:
                left = changed[prototype]
                known = self._bank.classes[orbits]
                distances = np.full_like(distances, _FAR) if left is None else left[known]
            own = distances[np.arange(len(distances)), crystal.species].astype(np.float64)
            weights = crystal.multiplicities / crystal.multiplicities.sum()
            result[row] = weights @ own, own.max()
        return result

    def nearest(self, found: Recoloured, *, without: str | None = None) -> int:
        """Find the decoration (index in the bank) with the nearest elements, orbit by orbit."""
        bank = self._bank
        rows = bank.rows_of(found.prototype, without=without)
        orbits = bank.orbits_of(found.prototype)
        known = bank.elements[rows][:, bank.classes[orbits]]
        weights = self.multiplicities[orbits].astype(np.float64)
        return int(rows[np.argmin(self._table[known, np.array(found.species)] @ weights)])

    def best(
        self, composition: dict[int, int], n: int, *, without: str | None = None
    ) -> list[Recoloured]:
        """Return the `n` cheapest for a cell with exactly these atoms, the cheapest first.

        Decorations whose reduced formula is `without` are ignored.
        """
        bank = self._bank
        elements = np.array(sorted(composition))
        counts = np.array([composition[z] for z in elements.tolist()], dtype=np.int64)
        total = int(counts.sum())
        fits = (bank.primitive_atoms == total) & (self._lengths <= _MAX_ORBITS)
        fits &= self._lengths >= len(elements)
        changed = self._distances_without(without) if without is not None else {}
        fits[[prototype for prototype, distances in changed.items() if distances is None]] = False
        members = np.flatnonzero(fits)
        if not len(members) or not n:
            return []
        rows = np.flatnonzero(np.isin(self._owners, members))
        lengths = self._lengths[members]
        starts = np.concatenate([[0], np.cumsum(lengths)])
        shares = self.multiplicities[rows] / total
        costs = self.distances[np.ix_(rows, elements)].astype(np.float64)
        for prototype, distances in changed.items():
            if distances is not None:
                mine = self._owners[rows] == prototype
                costs[mine] = distances[np.ix_(bank.classes[rows[mine]], elements)]
        costs *= shares[:, None]
        owners, chosen, best = _assign(
            starts,
            self.multiplicities[rows],
            bank.classes[rows].astype(np.int64),
            costs,
            counts,
            (n, _MAX_NODES),
        )
        return [
            Recoloured(
                prototype=int(members[p]),
                species=tuple(elements[chosen[i, : lengths[p]]].tolist()),
                cost=float(best[i]),
            )
            for i, p in enumerate(owners[owners >= 0].tolist())
        ]
