"""All known decorations of one anonymous stoichiometry, laid out for one gather per class.

For a target with the same stoichiometry, a candidate is a prototype and an arrangement of the
target's elements on its classes. Elements may be exchanged only between classes with equal counts;
arrangements that a swap of the prototype makes equal are one candidate.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from itertools import groupby, permutations, product
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from screening.prototypes.bank import Bank

Stoichiometry = tuple[int, ...]
"""Reduced counts in ascending order, such as ``(1, 1, 3)``."""


@dataclass(frozen=True)
class Family:
    """Prototypes of one reduced stoichiometry with ``k`` elements and their decorations.

    Attributes
    ----------
    counts
        Reduced counts by class, ascending, shape ``(k,)``.
    prototypes
        Indices in the bank, ascending, shape ``(p,)``.
    owners
        Place in `prototypes` of each row, ascending, shape ``(n,)``.
    decorations
        Index in the bank of each row, shape ``(n,)``. A decoration has one row for each swap.
    elements
        Atomic numbers by class of each row, shape ``(n, k)``.
    arrangements
        Permutations of classes with equal counts, shape ``(m, k)``; the first is the identity.
    representative
        For prototype and arrangement the first equivalent arrangement, shape ``(p, m)``.
    """

    counts: NDArray[np.int64]
    prototypes: NDArray[np.int64]
    owners: NDArray[np.int64]
    decorations: NDArray[np.int64]
    elements: NDArray[np.int64]
    arrangements: NDArray[np.int64]
    representative: NDArray[np.int64]

    @property
    def starts(self) -> NDArray[np.int64]:
        """First row of each prototype, shape ``(p,)``."""
        return np.searchsorted(self.owners, np.arange(len(self.prototypes)))

    @property
    def distinct(self) -> NDArray[np.bool_]:
        """Which arrangements are the first of their equivalents, shape ``(p, m)``."""
        distinct: NDArray[np.bool_] = self.representative == np.arange(len(self.arrangements))
        return distinct


def arrangements_of(counts: Stoichiometry) -> NDArray[np.int64]:
    """Permutations that exchange classes with equal counts, shape ``(m, k)``, identity first."""
    blocks = [list(block) for _, block in groupby(range(len(counts)), key=lambda i: counts[i])]
    choices = product(*(permutations(block) for block in blocks))
    return np.array([sum(choice, ()) for choice in choices], dtype=np.int64)


class Lookup:
    """Families of a bank by reduced stoichiometry, made when they are first asked for."""

    def __init__(self, bank: Bank) -> None:
        self._bank = bank
        self._families: dict[Stoichiometry, Family] = {}
        counts = bank.class_counts.astype(np.int64)
        reduced = counts // np.maximum(np.gcd.reduce(counts, axis=1, keepdims=True), 1)
        self._members: dict[Stoichiometry, list[int]] = defaultdict(list)
        for prototype, row in enumerate(reduced.tolist()):
            self._members[tuple(n for n in row if n)].append(prototype)
        self._swaps: dict[int, list[NDArray[np.int64]]] = defaultdict(list)
        for prototype, swap in zip(bank.swap_prototypes.tolist(), bank.swaps, strict=True):
            self._swaps[prototype].append(swap.astype(np.int64))
        self._first = np.searchsorted(bank.prototypes, np.arange(bank.n_prototypes + 1))

    def stoichiometries(self) -> list[Stoichiometry]:
        """All stoichiometries of the bank, sorted."""
        return sorted(self._members)

    def family(self, counts: Stoichiometry) -> Family | None:
        """Prototypes and decorations with these reduced ascending counts, or None."""
        if counts not in self._members:
            return None
        if counts not in self._families:
            self._families[counts] = self._make(counts)
        return self._families[counts]

    def _make(self, counts: Stoichiometry) -> Family:
        k = len(counts)
        members = self._members[counts]
        arrangements = arrangements_of(counts)
        index = {tuple(row): i for i, row in enumerate(arrangements.tolist())}
        representative = np.tile(np.arange(len(arrangements)), (len(members), 1))
        owners, decorations, elements = [], [], []
        for place, prototype in enumerate(members):
            rows = np.arange(self._first[prototype], self._first[prototype + 1])
            known = self._bank.elements[rows, :k].astype(np.int64)
            swaps = [swap[:k] for swap in self._swaps[prototype]]
            for swap in (np.arange(k), *swaps):
                owners.append(np.full(len(rows), place))
                decorations.append(rows)
                elements.append(known[:, swap])
            for swap in swaps:
                same = [index[tuple(row)] for row in arrangements[:, swap].tolist()]
                representative[place] = np.minimum(representative[place], same)
        return Family(
            counts=np.array(counts),
            prototypes=np.array(members),
            owners=np.concatenate(owners),
            decorations=np.concatenate(decorations),
            elements=np.concatenate(elements),
            arrangements=arrangements,
            representative=representative,
        )
