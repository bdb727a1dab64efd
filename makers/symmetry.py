"""The fourth stage: Bravais lattices, space groups and lattice parameters from the composition."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from pydantic import Field

from makers.base import StageMaker, StageSummary, TaskOutcome, stage_job
from screening.composition import CompositionArray
from screening.errors import DatabaseError
from screening.schemas import Stage
from screening.symmetry import SymmetryModel
from stores import open_database
from stores.queries import candidates as queries


@dataclass
class SymmetryMaker(StageMaker):
    """Predict the symmetry of candidates.

    Attributes
    ----------
    checkpoint
        The trained model.
    top_bravais, top_space_groups
        How many guesses are kept.
    """

    name: str = "symmetry"
    stage: ClassVar[Stage] = Stage.SYMMETRY
    checkpoint: str = "symmetry"
    top_bravais: Annotated[int, Field(ge=1, le=14)] = 3
    top_space_groups: Annotated[int, Field(ge=1, le=230)] = 10

    @stage_job
    def make(self, candidate_ids: list[str], campaign_id: str | None = None) -> StageSummary:
        """Predict all candidates at once; the guesses are kept in `symmetries`."""
        formulas = candidate_formulas(candidate_ids)
        return self.run(
            lambda _: self._predict(formulas, candidate_ids),
            inputs={"formulas": formulas},
            n_in=len(candidate_ids),
            campaign_id=campaign_id,
        )

    def _predict(self, formulas: list[str], candidate_ids: list[str]) -> TaskOutcome:
        outcome = TaskOutcome(n_out=len(formulas))
        outcome.data["model"] = self._reference(self.checkpoint).sha256
        if not formulas:
            return outcome
        guesses = SymmetryModel.load(self.checkpoint).predict(
            CompositionArray.from_formulas(formulas),
            top_bravais=self.top_bravais,
            top_space_groups=self.top_space_groups,
        )
        for candidate_id, guess in zip(candidate_ids, guesses, strict=True):
            outcome.add(guess, [candidate_id])
            outcome.ids.append(guess.symmetry_id)
        return outcome


def candidate_formulas(candidate_ids: list[str]) -> list[str]:
    """Look the formulas of candidates up: they, not the campaign, decide what a task gives.

    Raises
    ------
    DatabaseError
        If a candidate is not in the database.
    """
    formulas = queries.candidate_formulas(open_database(), candidate_ids)
    missing = [name for name in candidate_ids if name not in formulas]
    if missing:
        raise DatabaseError(f"candidates {missing[:3]} are missing: run the campaign again")
    return [formulas[name] for name in candidate_ids]
