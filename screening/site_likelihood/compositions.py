"""Which compositions of a chemical system are likely, and on which templates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from screening.composition import CompositionArray
from screening.elements import atomic_number, symbols
from screening.prototypes.bank import Bank
from screening.site_likelihood import BANK, CHECKPOINT
from screening.site_likelihood.likelihood import SiteLikelihood
from screening.site_likelihood.substitution import Substitutions
from screening.site_likelihood.templates import template_scores

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from screening.site_likelihood.templates import Score, Singles


@dataclass(frozen=True)
class Likely:
    """Compositions of one system, the likeliest first.

    Attributes
    ----------
    elements
        Atomic numbers of the system, shape ``(k,)``.
    counts
        Reduced amounts, shape ``(c, k)``.
    scores
        Score of the best template of each, shape ``(c,)``, descending.
    prototypes
        That template, shape ``(c,)``.
    assigned
        The elements on its classes, 0 beyond them, shape ``(c, m)``.
    """

    elements: NDArray[np.int64]
    counts: NDArray[np.int64]
    scores: Singles
    prototypes: NDArray[np.int64]
    assigned: NDArray[np.int64]

    def compositions(self) -> CompositionArray:
        """Return them as packed compositions, in their order."""
        numbers = np.tile(self.elements.astype(np.uint8), (len(self.counts), 1))
        return CompositionArray(numbers, self.counts.astype(np.uint16))


class LikelyCompositions:
    """All compositions that the templates of a bank give a chemical system, with scores.

    Parameters
    ----------
    bank
        The templates.
    table
        What each element adds to the score of a template (`template_scores`).
    """

    def __init__(self, bank: Bank, table: Singles) -> None:
        self.bank, self.table = bank, table
        self._substitutions: dict[int, Substitutions] = {}

    @classmethod
    def load(
        cls,
        checkpoint: str = CHECKPOINT,
        bank: str = BANK,
        score: Score = "classes",
    ) -> LikelyCompositions:
        """Read networks and templates from their checkpoints.

        Raises
        ------
        CheckpointError
            If one of them cannot be read.
        """
        templates = Bank.load(bank)
        likelihoods = SiteLikelihood.load(checkpoint).of_bank(templates)
        return cls(templates, template_scores(templates, likelihoods, score))

    def substitutions(self, n_elements: int) -> Substitutions:
        """All ways to put so many elements on the templates; kept once they are made."""
        if n_elements not in self._substitutions:
            self._substitutions[n_elements] = Substitutions.of(self.bank, n_elements)
        return self._substitutions[n_elements]

    def of(self, elements: Sequence[int]) -> Likely:
        """Rank the compositions that hold all of `elements` (atomic numbers)."""
        numbers = np.array(sorted(elements), dtype=np.int64)
        ways = self.substitutions(len(numbers))
        scores, best = ways.best(self.table[:, :, numbers])
        order = np.argsort(-scores, kind="stable")
        chosen = best[order]
        prototypes = ways.prototypes[chosen].astype(np.int64)
        assigned = numbers[ways.assignments[chosen]]
        assigned[self.bank.class_counts[prototypes] == 0] = 0
        return Likely(numbers, ways.counts[order], scores[order], prototypes, assigned)


def likely_compositions(
    chemsys: str, n: int = 20, *, checkpoint: str = CHECKPOINT, score: Score = "classes"
) -> list[dict[str, Any]]:
    """Name the likeliest compositions that hold all elements of a chemical system.

    Parameters
    ----------
    chemsys
        Symbols, such as ``Li-Mn-Ge``.
    n
        Most compositions.
    checkpoint
        The site networks.
    score
        How a template is scored, see `screening.site_likelihood.templates`.

    Returns
    -------
    ``formula``, ``score``, the ``template`` that gives it and the ``elements`` on its classes.

    Raises
    ------
    InputError
        If a symbol is unknown, or no template takes so many elements.
    """
    likely = LikelyCompositions.load(checkpoint, score=score)
    ranked = likely.of([atomic_number(symbol) for symbol in chemsys.split("-")])
    return [
        {
            "formula": formula,
            "score": float(ranked.scores[place]),
            "template": likely.bank.name(int(ranked.prototypes[place])),
            "elements": [symbols()[z] for z in ranked.assigned[place].tolist() if z],
        }
        for place, formula in enumerate(ranked.compositions()[:n].formulas())
    ]
