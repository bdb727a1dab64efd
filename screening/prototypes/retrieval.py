"""Candidates for a composition: the prototypes of a bank, ranked by likelihood and diversity.

A candidate's likelihood is the sum of the substitution kernel over the known decorations of its
prototype. Candidates are then taken greedily by the likelihood that they add: what matters is
whether some proposal is the crystal, so a likely crystal much like one that is already in the list
adds little, and variants of one crystal support each other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Collection

    from screening.prototypes.bank import Bank
    from screening.prototypes.family import Family

Floats = NDArray[np.float64]

SIMILARITY = 0.1
"""Fingerprint difference (root mean square) at which two crystals match with probability 1/e.

Measured on 25,716 pairs of equal composition: pymatgen's StructureMatcher (0.3, 0.5, 10) accepts
89 % between 0.02 and 0.05, 73 % to 0.1, 33 % to 0.15, 20 % to 0.2, 5 % to 0.25.
"""
EQUAL = 0.02
"""Below this difference, candidates are the same crystal."""

_NEVER = -1e6


@dataclass(frozen=True)
class Candidate:
    """One prototype with the target's elements on its classes.

    Attributes
    ----------
    prototype
        Index in the bank.
    elements
        Atomic numbers by class.
    log_likelihood
        Logarithm of its share of the likelihood of all candidates.
    volume
        Expected volume (Angstrom^3/atom).
    nearest
        Decoration (index in the bank) that supports it most.
    known
        Whether `nearest` is the target itself.
    """

    prototype: int
    elements: tuple[int, ...]
    log_likelihood: float
    volume: float
    nearest: int
    known: bool


class Query:
    """All candidates of one composition.

    Parameters
    ----------
    bank
        The bank.
    composition
        Atomic number -> atoms in the formula unit (any multiple).
    n_atoms
        Only prototypes known with cells of so many atoms; None for all.
    without
        Reduced formula (`canonical_formulas`) of decorations that are to be ignored.

    Attributes
    ----------
    family
        The prototypes with the right stoichiometry, or None.
    targets
        Atomic numbers by class under each arrangement, shape ``(m, k)``.
    kernel
        Logarithm of the kernel of each row and arrangement, shape ``(n, m)``.
    hidden
        Rows that are ignored, shape ``(n,)``.
    mass
        Log-likelihood of each prototype and arrangement, shape ``(p, m)``, not normalised.
    """

    def __init__(
        self,
        bank: Bank,
        composition: dict[int, int],
        *,
        n_atoms: Collection[int] | None = None,
        without: str | None = None,
    ) -> None:
        self.bank = bank
        order = sorted(composition, key=lambda z: (composition[z], z))
        counts = np.array([composition[z] for z in order])
        reduced = tuple((counts // np.gcd.reduce(counts)).tolist())
        self.family: Family | None = bank.lookup.family(reduced)
        if self.family is None:
            return
        self.targets = np.array(order, dtype=np.int64)[self.family.arrangements]
        hulls = bank.hulls[self.family.decorations].astype(np.float64)
        self.kernel = bank.model.log_kernel(self.targets, self.family, hulls)
        self.hidden = np.zeros(len(hulls), dtype=bool)
        if without is not None:
            same = [bank.formulas[d] == without for d in self.family.decorations.tolist()]
            self.hidden = np.array(same, dtype=bool)
            self.kernel[self.hidden] = _NEVER
        self.mass = np.logaddexp.reduceat(self.kernel, self.family.starts, axis=0)
        self.mass[~self.family.distinct] = _NEVER
        if n_atoms is not None:
            cells = np.isin(bank.n_atoms[self.family.decorations], list(n_atoms))
            fits = np.logical_or.reduceat(cells, self.family.starts)
            self.mass[~fits] = _NEVER

    def best(self, n: int) -> list[Candidate]:
        """Return the `n` likeliest candidates; those that are the target itself come first."""
        if self.family is None:
            return []
        m = self.mass.shape[1]
        known = self._known()
        order = np.argsort(-self.mass, axis=None, kind="stable")[:n].tolist()
        order = known + [index for index in order if index not in set(known)]
        possible = self.mass > _NEVER / 2
        if not possible.any():
            return []
        total = np.logaddexp.reduce(self.mass[possible])
        return [
            self._candidate(index // m, index % m, float(total), index in set(known))
            for index in order[:n]
            if possible.flat[index]
        ]

    def _known(self) -> list[int]:
        """Flat indices of candidates that decorations of the target's composition are; by hull."""
        assert self.family is not None
        equal = (self.family.elements[:, None] == self.targets).all(axis=2)
        rows, columns = np.nonzero(equal & ~self.hidden[:, None])
        owners = self.family.owners[rows]
        columns = self.family.representative[owners, columns]
        hulls = np.nan_to_num(self.bank.hulls[self.family.decorations[rows]], nan=np.inf)
        order = np.lexsort((columns, owners, hulls))
        flat = (owners * self.mass.shape[1] + columns)[order]
        return [i for i in dict.fromkeys(flat.tolist()) if self.mass.flat[i] > _NEVER / 2]

    def _candidate(self, place: int, column: int, total: float, known: bool) -> Candidate:  # noqa: FBT001 - private
        family, bank = self.family, self.bank
        assert family is not None
        starts = [*family.starts.tolist(), len(family.owners)]
        rows = np.arange(starts[place], starts[place + 1])
        kernel = self.kernel[rows, column]
        best = int(rows[np.argmax(kernel)])
        elements = self.targets[column]
        nearest = int(family.decorations[best])
        if known:
            volume = float(bank.volumes[nearest])
        else:
            decorations = family.decorations[rows]
            weights = np.exp(kernel - kernel.max())
            logs = np.log(bank.volumes[decorations]) - np.log(bank.packing(decorations))
            fractions = family.counts / family.counts.sum()
            own = float(fractions @ bank.element_volumes[elements])
            volume = own * float(np.exp((weights * logs).sum() / weights.sum()))
        return Candidate(
            prototype=int(family.prototypes[place]),
            elements=tuple(elements.tolist()),
            log_likelihood=float(self.mass[place, column]) - total,
            volume=volume,
            nearest=nearest,
            known=known,
        )


def own_rank(bank: Bank, decoration: int) -> int | None:
    """Rank of a decoration's own candidate when all of its formula is left out.

    Returns
    -------
    1 for the likeliest; None if no other formula has its prototype.
    """
    prototype = int(bank.prototypes[decoration])
    counts = bank.class_counts[prototype]
    elements = bank.elements[decoration]
    composition = {int(z): int(n) for z, n in zip(elements, counts, strict=True) if z}
    query = Query(bank, composition, without=bank.formulas[decoration])
    family = query.family
    assert family is not None
    place = int(np.searchsorted(family.prototypes, prototype))
    column = int(np.flatnonzero((query.targets == elements[: len(composition)]).all(axis=1))[0])
    own = query.mass[place, family.representative[place, column]]
    return int((query.mass > own).sum()) + 1 if own > _NEVER / 2 else None


def squares_between(fingerprints: Floats) -> Floats:
    """Mean square differences of all pairs of flat fingerprints, shape ``(c, c)``."""
    norms = (fingerprints**2).sum(axis=1)
    squares = norms[:, None] + norms[None] - 2 * fingerprints @ fingerprints.T
    result: Floats = np.maximum(squares, 0.0) / max(fingerprints.shape[1], 1)
    return result


def diverse_order(
    likelihoods: Floats, fingerprints: Floats, n: int, *, n_first: int = 0
) -> list[tuple[int, float]]:
    """Choose candidates one by one, each from the group that adds the most likelihood.

    The group is found by how much likelihood lies near each candidate; from it the likeliest is
    taken, because the middle of a group of variants is seldom a crystal that exists.

    Parameters
    ----------
    likelihoods
        Share of each candidate, shape ``(c,)``.
    fingerprints
        Flat fingerprints, shape ``(c, f)``.
    n
        Most candidates that are chosen; repetitions of a chosen crystal are skipped.
    n_first
        The first so many candidates come first, in their order.

    Returns
    -------
    ``(index, likelihood that its group adds)``, best first; the second never rises.
    """
    squares = squares_between(fingerprints)
    matching = np.exp(-squares / SIMILARITY**2)
    equal = squares < EQUAL**2
    left = likelihoods.copy()
    open_ = np.ones(len(left), dtype=bool)
    chosen: list[tuple[int, float]] = []
    added = float("inf")
    while open_.any() and len(chosen) < n:
        gains = np.where(open_, matching @ left, -1.0)
        index = int(np.argmax(gains))
        added = min(added, float(gains[index]))
        if open_[:n_first].any():
            index = int(np.argmax(open_))
        else:
            index = int(np.argmax(np.where(open_, left * np.sqrt(matching[index]), -1.0)))
        chosen.append((index, added))
        left = left * (1 - matching[index])
        open_ &= ~equal[index]
        open_[index] = False
    return chosen
