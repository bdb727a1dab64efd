"""The second stage: charge neutrality and electronegativity balance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from pydantic import Field

from makers.base import StageMaker, StageSummary, TaskOutcome, stage_job
from screening.composition import CompositionArray
from screening.identity import make_id
from screening.schemas import Stage, ValidityReason, VerdictBatchDoc
from screening.validity import check_validity
from stores import Database
from stores.queries.batches import read_batch


@dataclass
class ValidityMaker(StageMaker):
    """Judge compositions by SMACT's rules.

    Attributes
    ----------
    table
        Oxidation-state table.
    pauling
        Every cation must be less electronegative than every anion.
    alloys
        Compositions of metals only pass.
    mixed_valence
        One element may have two oxidation states (as in Fe3O4).
    metallicity_threshold
        Compositions at least this metallic (0 to 1) pass; empty: the rule is off.
    enforce
        Leave rejected compositions out; otherwise the verdict is only written down.
    """

    name: str = "validity"
    stage: ClassVar[Stage] = Stage.VALIDITY
    table: str = "icsd24_filtered"
    pauling: bool = True
    alloys: bool = True
    mixed_valence: bool = True
    metallicity_threshold: Annotated[float | None, Field(ge=0, le=1)] = None
    enforce: bool = True

    @stage_job
    def make(self, batch: StageSummary, campaign_id: str | None = None) -> StageSummary:
        """Judge one batch; every verdict is kept in `verdicts`."""
        batch_id = batch.ids[0]
        return self.run(
            lambda database: self._judge(database, batch_id),
            inputs={"batch_id": batch_id},
            n_in=batch.n_out,
            campaign_id=campaign_id,
        )

    def _judge(self, database: Database, batch_id: str) -> TaskOutcome:
        batch = read_batch(database, batch_id)
        verdicts = check_validity(
            CompositionArray(batch.numbers, batch.counts),
            table=self.table,
            pauling=self.pauling,
            alloys=self.alloys,
            mixed_valence=self.mixed_valence,
            metallicity_threshold=self.metallicity_threshold,
        )
        verdict_id = make_id("ver", batch_id, self.parameters())
        n_valid = int(verdicts.valid.sum())
        outcome = TaskOutcome(
            n_out=n_valid if self.enforce else batch.n,
            ids=[verdict_id],
            reasons={k: n for k, n in verdicts.reasons().items() if not ValidityReason(k).valid},
        )
        outcome.add(
            VerdictBatchDoc(
                verdict_id=verdict_id,
                batch_id=batch_id,
                table=self.table,
                n=batch.n,
                n_valid=n_valid,
                enforced=self.enforce,
                reasons=verdicts.reasons(),
                codes=verdicts.codes,
                metallicity=verdicts.metallicity,
            ),
            [batch_id],
        )
        return outcome
