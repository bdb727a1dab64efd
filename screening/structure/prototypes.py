"""Structures by retrieval: the elements of the target on the known prototypes (CSPML, TCSP).

Kusaba et al. 2022, doi:10.1016/j.commatsci.2022.111496; Wei et al. 2022,
doi:10.1021/acs.inorgchem.1c03879. See `screening.structure.retrieval` for the ranking.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from screening.structure.bank import Bank
from screening.structure.crystals import primitive_cell, structure_of
from screening.structure.distances import MIN_CONTACT, closest_contact, covalent_radii, fingerprint
from screening.structure.retrieval import Candidate, Query, diverse_order
from screening.structure.target import Proposal

if TYPE_CHECKING:
    from screening.structure.crystals import Cell, Crystal
    from screening.structure.target import Target

_CONSIDERED = 80
_PER_PROPOSAL = 4


class PrototypeGenerator:
    """Proposes known prototypes with the target's elements, scaled to the expected volume.

    Parameters
    ----------
    bank
        The bank, or the name of its checkpoint (read when it is first needed).
    """

    name = "prototypes"
    version = "1"

    def __init__(self, bank: Bank | str = "prototypes") -> None:
        self._source = bank

    @cached_property
    def bank(self) -> Bank:
        """The bank."""
        return Bank.load(self._source) if isinstance(self._source, str) else self._source

    def generate(self, target: Target, n: int, seed: int = 0) -> list[Proposal]:  # noqa: ARG002 - the protocol has it
        """Propose up to `n` structures, best first.

        A known crystal with the target's own composition comes first, at its known volume. All
        others are scaled to the target's expected volume or, without one, to the volume that their
        decorations suggest. Nothing here is random: `seed` changes nothing.

        Parameters
        ----------
        target
            Composition and limits.
        n
            Most proposals.
        seed
            Not used.
        """
        query = Query(self.bank, target.composition, n_atoms=target.allowed_atoms)
        found: list[tuple[Candidate, Crystal, Cell]] = []
        for candidate in query.best(max(_CONSIDERED, _PER_PROPOSAL * n)):
            volume = candidate.volume if candidate.known else target.expected_volume
            crystal = self.bank.decorated(
                candidate.prototype, candidate.elements, volume or candidate.volume
            )
            cell = primitive_cell(crystal)
            if candidate.known or _contacts_are_possible(cell):
                found.append((candidate, crystal, cell))
        if not found:
            return []
        likelihoods = np.exp([candidate.log_likelihood for candidate, _, _ in found])
        fingerprints = np.array([fingerprint(*cell).ravel() for _, _, cell in found])
        n_known = sum(candidate.known for candidate, _, _ in found)
        chosen = diverse_order(likelihoods, fingerprints, n, n_first=n_known)
        return [self._proposal(*found[index], score) for index, score in chosen]

    def _proposal(
        self, candidate: Candidate, crystal: Crystal, cell: Cell, score: float
    ) -> Proposal:
        nearest = self.bank.formulas[candidate.nearest]
        return Proposal(
            structure=structure_of(cell),
            score=score,
            template=self.bank.name(candidate.prototype),
            parameters={
                "space_group": crystal.number,
                "nearest": nearest,
                "known": candidate.known,
                "likelihood": float(np.exp(candidate.log_likelihood)),
                "bank": self.bank.ref.sha256 if self.bank.ref else None,
            },
        )


def _contacts_are_possible(cell: Cell) -> bool:
    """Whether no two atoms are closer than `MIN_CONTACT` times the sum of their radii."""
    lattice, points, numbers = cell
    return closest_contact(lattice, points, covalent_radii()[numbers], 1.0) >= MIN_CONTACT
