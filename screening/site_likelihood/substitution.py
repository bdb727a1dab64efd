"""All elements of a chemical system on all prototypes, and the best of each composition.

As Ryan et al. 2018 (doi:10.1021/jacs.8b03913): every class of sites of every template takes each
element of the system in turn, also the same element as another class, as long as no element is
left out. The score of such a crystal is a sum over its classes, looked up in a table; of all
crystals with one composition the best counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from screening.compiled import compiled
from screening.errors import InputError
from screening.site_likelihood import MAX_ELEMENTS

if TYPE_CHECKING:
    from screening.prototypes.bank import Bank

Ints = NDArray[np.int64]
Singles = NDArray[np.float32]


@dataclass(frozen=True)
class Substitutions:
    """All ways to put ``k`` elements on the classes of prototypes, none of the elements left out.

    Attributes
    ----------
    prototypes
        Prototype of each way, ascending, shape ``(n,)``, int32.
    assignments
        Element (0 to k - 1) of each class, 0 beyond the prototype's classes, ``(n, m)``, uint8.
    compositions
        Composition of each way, an index into `counts`, shape ``(n,)``, int32.
    counts
        Reduced amounts of the elements in each composition, all different, shape ``(c, k)``.
    """

    prototypes: NDArray[np.int32]
    assignments: NDArray[np.uint8]
    compositions: NDArray[np.int32]
    counts: Ints

    def __len__(self) -> int:
        """Return the number of ways."""
        return len(self.prototypes)

    @classmethod
    def of(cls, bank: Bank, n_elements: int) -> Substitutions:
        """List all ways for chemical systems of `n_elements`.

        Raises
        ------
        InputError
            If no prototype has so many classes, or the number is out of range.
        """
        if not 1 <= n_elements <= MAX_ELEMENTS:
            raise InputError(f"{n_elements} elements: substitution takes 1 to {MAX_ELEMENTS}")
        sizes = (bank.class_counts > 0).sum(axis=1)
        width = bank.class_counts.shape[1]
        owners, assignments, counts = [], [], []
        for n_classes in range(n_elements, int(sizes.max(initial=0)) + 1):
            members = np.flatnonzero(sizes == n_classes)
            ways = _surjections(n_classes, n_elements)
            one_hot = (ways[:, :, None] == np.arange(n_elements)).astype(np.int64)
            amounts = np.einsum("pc,wce->pwe", bank.class_counts[members, :n_classes], one_hot)
            padded = np.zeros((len(ways), width), dtype=np.uint8)
            padded[:, :n_classes] = ways
            owners.append(np.repeat(members, len(ways)))
            assignments.append(np.tile(padded, (len(members), 1)))
            counts.append(amounts.reshape(-1, n_elements))
        if not owners or not sum(map(len, owners)):
            raise InputError(f"no prototype of the bank takes {n_elements} elements")
        amounts = np.concatenate(counts)
        amounts //= np.gcd.reduce(amounts, axis=1, keepdims=True)
        unique, compositions = np.unique(amounts, axis=0, return_inverse=True)
        return cls(
            prototypes=np.concatenate(owners).astype(np.int32),
            assignments=np.concatenate(assignments),
            compositions=compositions.ravel().astype(np.int32),
            counts=unique,
        )

    def best(self, scores: Singles) -> tuple[Singles, Ints]:
        """Find the best way to each composition.

        Parameters
        ----------
        scores
            `template_scores` of the elements of one system, shape ``(p, m, k)``.

        Returns
        -------
        The best score of each composition, and the way that gives it, both ``(c,)``.
        """
        top = np.full(len(self.counts), -np.inf, dtype=np.float32)
        ways = np.zeros(len(self.counts), dtype=np.int64)
        _best_by_composition(
            self.prototypes,
            self.assignments,
            self.compositions,
            np.ascontiguousarray(scores),
            top,
            ways,
        )
        return top, ways


def _surjections(n_classes: int, n_elements: int) -> Ints:
    """All maps of classes to elements that miss no element, shape ``(w, n_classes)``."""
    every = np.array(list(product(range(n_elements), repeat=n_classes)), dtype=np.int64)
    full = np.ones(len(every), dtype=bool)
    for element in range(n_elements):
        full &= (every == element).any(axis=1)
    return every[full]


@compiled
def _best_by_composition(  # noqa: PLR0917 - compiled
    prototypes: NDArray[np.int32],
    assignments: NDArray[np.uint8],
    compositions: NDArray[np.int32],
    scores: Singles,
    top: Singles,
    ways: Ints,
) -> None:
    """Score every way and keep the best of each composition."""
    width = assignments.shape[1]
    for way in range(len(prototypes)):
        table = scores[prototypes[way]]
        score = np.float32(0)
        for c in range(width):
            score += table[c, assignments[way, c]]
        composition = compositions[way]
        if score > top[composition]:
            top[composition] = score
            ways[composition] = way
