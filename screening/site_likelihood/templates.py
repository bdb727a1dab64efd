"""Crystals as templates: their scores for any elements, and the rank of a known crystal.

Two scores of a template that takes certain elements:

``product``
    The sum of log P(element | site) over its unique sites, as Ryan et al. 2018
    (doi:10.1021/jacs.8b03913).
``classes``
    The sites of one element are not independent, so each element counts once, with the mean of its
    sites; and templates that are known with many sets of elements are likelier: plus log(n + 1/2)
    for n known sets.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from screening.crystal.isopointal import Shape, Tolerance, alignments, canonical_label

if TYPE_CHECKING:
    from screening.crystal.crystals import Crystal
    from screening.crystal.isopointal import Label
    from screening.prototypes.bank import Bank

Ints = NDArray[np.int64]
Singles = NDArray[np.float32]
Score = Literal["product", "classes"]

UNKNOWN = 0.5
"""What is added to the number of known decorations of a template."""


def template_scores(
    bank: Bank,
    log_likelihoods: Singles,
    score: Score,
    *,
    known: NDArray[np.bool_] | None = None,
) -> Singles:
    """Tabulate what each element adds to the score when it takes a class of a template.

    Parameters
    ----------
    bank
        The templates: ``p`` prototypes with ``o`` orbits, at most ``k`` classes in one.
    log_likelihoods
        log P(element | site) of each orbit, shape ``(o, e)``.
    score
        ``product`` or ``classes``.
    known
        Decorations that count for ``classes``, shape ``(d,)``; None for all.

    Returns
    -------
    Shape ``(p, k, e)``, 0 for classes that a template has not. What belongs to the template as a
    whole is added to its first class: a score is the sum over the classes.
    """
    width = bank.class_counts.shape[1]
    owners = np.repeat(np.arange(bank.n_prototypes), np.diff(bank.orbit_start))
    places = owners * width + bank.classes
    order = np.argsort(places, kind="stable")
    starts = np.flatnonzero(np.diff(places[order], prepend=-1))
    table = np.zeros((bank.n_prototypes * width, log_likelihoods.shape[1]), dtype=np.float32)
    if len(order):
        filled = places[order][starts]
        table[filled] = np.add.reduceat(log_likelihoods[order], starts, axis=0)
        if score == "classes":
            table[filled] /= np.diff(starts, append=len(order))[:, None]
    table = table.reshape(bank.n_prototypes, width, -1)
    if score == "classes":
        counted = bank.prototypes if known is None else bank.prototypes[known]
        amounts = np.bincount(counted, minlength=bank.n_prototypes)
        table[:, 0] += np.log(amounts + UNKNOWN)[:, None]
    return table


class Templates:
    """The prototypes of a bank, to be recognised in crystals and ranked for compositions.

    Parameters
    ----------
    bank
        The bank.
    """

    def __init__(self, bank: Bank) -> None:
        self.bank = bank
        self._shapes: dict[Label, list[tuple[int, Shape]]] = defaultdict(list)
        for prototype in range(bank.n_prototypes):
            crystal = bank.crystal(prototype)
            label, operations = canonical_label(crystal)
            self._shapes[label].append((prototype, Shape.of(crystal, operations)))

    def find(self, crystal: Crystal) -> tuple[int, tuple[int, ...]] | None:
        """Find the prototype of a crystal and the crystal's species by class, or None."""
        label, operations = canonical_label(crystal)
        if label not in self._shapes:
            return None
        shape = Shape.of(crystal, operations)
        fits = [
            (deviation, prototype, species)
            for prototype, own in self._shapes[label]
            for species, deviation in alignments(own, shape, Tolerance()).items()
        ]
        return min(fits)[1:] if fits else None

    def rank(self, table: Singles, prototype: int, elements: tuple[int, ...]) -> float:
        """Rank of a decorated prototype among all candidates with its composition, 1 the best.

        Candidates are all prototypes with the stoichiometry times all arrangements of the elements
        on them that differ; each of n equals has the mean of their ranks.

        Parameters
        ----------
        table
            `template_scores`.
        prototype, elements
            The known crystal: its prototype, and its atomic numbers by class.
        """
        counts = self.bank.class_counts[prototype][: len(elements)].astype(np.int64)
        family = self.bank.lookup.family(tuple((counts // np.gcd.reduce(counts)).tolist()))
        assert family is not None
        targets = np.array(elements, dtype=np.int64)[family.arrangements]
        scores = np.zeros(family.distinct.shape, dtype=np.float32)
        for c in range(len(elements)):
            scores += table[family.prototypes, c][:, targets[:, c]]
        scores[~family.distinct] = -np.inf
        place = int(np.searchsorted(family.prototypes, prototype))
        own = scores[place, family.representative[place, 0]]
        return float(1 + (scores > own).sum() + 0.5 * ((scores == own).sum() - 1))
