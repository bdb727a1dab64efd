"""Structures by retrieval: the elements of the target on the known prototypes (CSPML, TCSP).

Kusaba et al. 2022, doi:10.1016/j.commatsci.2022.111496; Wei et al. 2022,
doi:10.1021/acs.inorgchem.1c03879. See `screening.prototypes.retrieval` for the likelihood,
`screening.prototypes.orbit_assignment` for candidates from other stoichiometries, and
`screening.prototypes.ranker` for the learned ranking.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from screening.crystal.crystals import standardise, structure_of
from screening.elements import symbols
from screening.engines import make_engine
from screening.prototypes.bank import Bank
from screening.prototypes.proposals import Way, find_candidates
from screening.prototypes.ranker import Ranker
from screening.structure.request import Proposal

if TYPE_CHECKING:
    from screening.engines import Engine
    from screening.prototypes.proposals import Proposed
    from screening.structure.request import Target


class PrototypeGenerator:
    """Proposes known prototypes with the target's elements, scaled to the expected volume.

    Parameters
    ----------
    bank
        The bank, or the name of its checkpoint (read when it is first needed).
    ranker
        The learned ranking, or the name of its checkpoint.
    energies
        Whether the likeliest candidates are ranked with energies of the ranker's potential.
    """

    name = "prototypes"
    version = "3"

    def __init__(
        self,
        bank: Bank | str = "prototypes",
        ranker: Ranker | str = "ranker",
        *,
        energies: bool = True,
    ) -> None:
        self._bank, self._ranker, self._energies = bank, ranker, energies

    @cached_property
    def bank(self) -> Bank:
        """The bank."""
        return Bank.load(self._bank) if isinstance(self._bank, str) else self._bank

    @cached_property
    def ranker(self) -> Ranker:
        """The learned ranking."""
        return Ranker.load(self._ranker) if isinstance(self._ranker, str) else self._ranker

    @cached_property
    def engine(self) -> Engine | None:
        """The potential that gives energies, if there is one."""
        name = self.ranker.engine if self._energies else None
        return make_engine(name) if name else None

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
        candidates = find_candidates(
            self.bank, target.composition, target.allowed_atoms, volume=target.expected_volume
        )
        if not len(candidates):
            return []
        chosen = self.ranker.rank(self.bank, candidates, n, self.engine)
        return [self._proposal(candidates.proposed[index], score) for index, score in chosen]

    def _proposal(self, item: Proposed, score: float) -> Proposal:
        return Proposal(
            structure=structure_of(item.cell),
            score=score,
            template=self.bank.name(item.prototype),
            parameters={
                "space_group": _space_group(item),
                "nearest": self.bank.formulas[item.nearest],
                "known": item.known,
                "recoloured": item.way is Way.RECOLOURED,
                "shared": _shared(item),
                "likelihood": float(np.exp(item.log_share)),
                "bank": self.bank.ref.sha256 if self.bank.ref else None,
                "ranker": self.ranker.ref.sha256,
                "engine": self.ranker.engine if self.engine else None,
            },
        )


def _space_group(item: Proposed) -> int:
    """Space group of a candidate; that of an ordered one is lower than its parent's."""
    if item.sharing is None:
        return item.crystal.number
    crystal = standardise(item.cell)
    return 1 if isinstance(crystal, str) else crystal.number


def _shared(item: Proposed) -> list[str] | None:
    """Symbols of the elements that share sites, the one that the parent has first."""
    if item.sharing is None:
        return None
    return [symbols()[z] for z in (item.sharing.pair.host, item.sharing.pair.guest)]
