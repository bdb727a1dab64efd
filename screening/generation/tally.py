"""Counts of a stream of samples: how many are valid, distinct and new, in little memory.

Of a distinct composition nothing is kept but a 64-bit hash, 8 bytes; two of n compositions share
one with a probability of about ``n**2 / 4e19``, 1e-7 for two million.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from screening.balance import accepted, balance_codes
from screening.elements import MAX_Z, symbols
from screening.generation.representation import MAX_COUNT, MAX_ELEMENTS
from screening.schemas import ValidityReason
from screening.training.data import unseen

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from screening.composition import CompositionArray
    from screening.generation.reference import Options, Reference


class Tally:
    """Counts samples as they come.

    Parameters
    ----------
    reference
        What they are compared with.
    rules
        The rules of validity.

    Attributes
    ----------
    n_decodable, n_valid
        Samples that are a composition, and of these the valid ones.
    n_distinct, n_distinct_valid
        Distinct compositions among them.
    n_unseen, n_unknown
        Distinct valid ones that were not trained on, and that are not in the data.
    n_recovered
        Target formulas that were sampled.
    unique_of_first
        Share of distinct compositions among the first 10k, 100k, ... decodable samples.
    codes
        Samples for each verdict, shape ``(len(ValidityReason),)``.
    """

    def __init__(self, reference: Reference, rules: Options) -> None:
        self.reference = reference
        self.rules = rules
        self.n_decodable = self.n_valid = self.n_distinct_valid = 0
        self.n_unseen = self.n_unknown = self.n_recovered = 0
        self.unique_of_first: dict[str, float] = {}
        self.codes = np.zeros(len(ValidityReason), dtype=np.int64)
        self._target = frozenset(reference.target.formulas())
        self._hashes = np.empty(0, dtype=np.uint64)
        self._marginals = marginals(reference.target[:0])

    @property
    def n_distinct(self) -> int:
        """Distinct compositions so far."""
        return len(self._hashes)

    def add(self, drawn: CompositionArray) -> None:
        """Count some samples."""
        while len(drawn):
            mark = next(10**k for k in range(4, 20) if 10**k > self.n_decodable)
            part = drawn[: mark - self.n_decodable]
            drawn = drawn[len(part) :]
            self._add(part)
            if self.n_decodable == mark:
                self.unique_of_first[str(mark)] = self.n_distinct / mark

    def _add(self, drawn: CompositionArray) -> None:
        codes = balance_codes(
            drawn, table=self.rules.table, pauling=self.rules.pauling, alloys=self.rules.alloys
        )
        valid = accepted(codes)
        self.codes += np.bincount(codes, minlength=len(self.codes))
        self.n_decodable += len(drawn)
        self.n_valid += int(valid.sum())
        both = zip(self._marginals, marginals(drawn), strict=True)
        self._marginals = [before + more for before, more in both]
        hashes, first = np.unique(composition_hashes(drawn), return_index=True)
        place = np.searchsorted(self._hashes, hashes)  # both ascend
        known = self._hashes[np.minimum(place, self.n_distinct - 1)] if self.n_distinct else hashes
        new = (known != hashes) | (self.n_distinct == 0)
        self._hashes = np.insert(self._hashes, place[new], hashes[new])
        self._compare(drawn[first[new]][valid[first[new]]].formulas())

    def _compare(self, formulas: list[str]) -> None:
        """Count distinct valid formulas that have not come before."""
        self.n_distinct_valid += len(formulas)
        self.n_unseen += int(unseen(formulas, self.reference.seen).sum())
        self.n_unknown += sum(formula not in self.reference.known for formula in formulas)
        self.n_recovered += len(self._target.intersection(formulas))

    def reasons(self) -> dict[str, int]:
        """Count the verdicts that occur."""
        return {str(r): int(n) for r, n in zip(ValidityReason, self.codes, strict=True) if n}

    def distances(self) -> dict[str, float]:
        """Total variation distances of the three marginal distributions from the target's."""
        names = ("element_distance", "amount_distance", "n_elements_distance")
        target = marginals(self.reference.target)
        return {
            name: float(0.5 * np.abs(a / max(a.sum(), 1) - b / max(b.sum(), 1)).sum())
            for name, a, b in zip(names, self._marginals, target, strict=True)
        }

    def frequencies(self) -> dict[str, dict[str, list[Any]]]:
        """Return what a plot of samples against the target needs.

        Returns
        -------
        ``elements`` (share of the compositions that have each), ``amounts`` (share of all amounts)
        and ``n_elements`` (share of the compositions), as columns: ``label``, ``samples``,
        ``data``.
        """
        labels = (symbols(), range(MAX_COUNT + 1), range(MAX_ELEMENTS + 1))
        names = ("elements", "amounts", "n_elements")
        pairs = zip(self._marginals, marginals(self.reference.target), strict=True)
        n_samples, n_data = self.n_decodable, len(self.reference.target)
        found = {}
        for name, label, (own, known) in zip(names, labels, pairs, strict=True):
            totals = (own.sum(), known.sum()) if name == "amounts" else (n_samples, n_data)
            rows = (own > 0) | (known > 0)
            found[name] = {
                "label": [each for each, kept in zip(label, rows, strict=True) if kept],
                "samples": (own[rows] / max(totals[0], 1)).round(5).tolist(),
                "data": (known[rows] / max(totals[1], 1)).round(5).tolist(),
            }
        return found


def marginals(compositions: CompositionArray) -> list[NDArray[np.int64]]:
    """Count atomic numbers, amounts and numbers of elements."""
    present = compositions.numbers > 0
    return [
        np.bincount(compositions.numbers[present], minlength=MAX_Z + 1),
        np.bincount(compositions.counts[present], minlength=MAX_COUNT + 1),
        np.bincount(compositions.n_elements(), minlength=MAX_ELEMENTS + 1),
    ]


def composition_hashes(compositions: CompositionArray) -> NDArray[np.uint64]:
    """Hash compositions to 64 bits, shape ``(n,)``: the sum of SplitMix64 of the pairs."""
    pairs = compositions.numbers.astype(np.uint64) << np.uint64(16)
    pairs |= compositions.counts.astype(np.uint64)
    mixed = pairs * np.uint64(0x9E3779B97F4A7C15)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB), (31, 1)):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    hashes: NDArray[np.uint64] = (mixed * (compositions.numbers > 0)).sum(axis=1, dtype=np.uint64)
    return hashes
