"""All known decorations of one anonymous stoichiometry, laid out for one gather per class.

For a target with the same stoichiometry, a candidate is a prototype and an arrangement of the
target's elements on its classes. Elements may be exchanged only between classes with equal counts;
arrangements that a swap of the prototype makes equal are one candidate.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np

from screening.prototypes.family import Family, Stoichiometry, arrangements_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from screening.prototypes.arrays import PrototypeArrays


class Lookup:
    """Families of a bank by reduced stoichiometry, made when they are first asked for."""

    def __init__(self, bank: PrototypeArrays) -> None:
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
