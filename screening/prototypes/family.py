"""Prototypes of one anonymous stoichiometry, with their decorations."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby, permutations, product
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


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
