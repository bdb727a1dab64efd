"""The third stage: predicted formation energies, and the choice of candidates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from makers.base import StageMaker, StageSummary, TaskOutcome, stage_job
from screening.composition import CompositionArray
from screening.energy import EnergyModel
from screening.errors import DatabaseError
from screening.identity import make_id
from screening.schemas import EnergyBatchDoc, Stage, ValidityReason, VerdictBatchDoc
from stores import Database
from stores.queries.batches import read_batch


@dataclass
class FormationEnergyMaker(StageMaker):
    """Predict formation energies of the valid compositions of a batch.

    Attributes
    ----------
    checkpoint
        The trained model.
    fast
        Use the model's networks on descriptors alone: for millions of compositions.
    """

    name: str = "energy"
    stage: ClassVar[Stage] = Stage.ENERGY
    checkpoint: str = "energy"
    fast: bool = False

    @stage_job
    def make(self, verdicts: StageSummary, campaign_id: str | None = None) -> StageSummary:
        """Predict one batch; the predictions are kept in `energies`."""
        verdict_id = verdicts.ids[0]
        return self.run(
            lambda database: self._predict(database, verdict_id),
            inputs={"verdict_id": verdict_id},
            n_in=verdicts.n_out,
            campaign_id=campaign_id,
        )

    def _predict(self, database: Database, verdict_id: str) -> TaskOutcome:
        verdicts = database.get(VerdictBatchDoc, verdict_id)
        if verdicts is None:
            raise DatabaseError(f"verdicts {verdict_id} are missing: run the campaign again")
        batch = read_batch(database, verdicts.batch_id)
        accepted = np.array([reason.valid for reason in ValidityReason])[verdicts.codes]
        accepted |= not verdicts.enforced
        rows = np.flatnonzero(accepted).astype(np.uint32)
        model = EnergyModel.load(self.checkpoint)
        compositions = CompositionArray(batch.numbers, batch.counts)[rows]
        prediction = model.predict(compositions, fast=self.fast)
        reference = self._reference(self.checkpoint)
        energy_id = make_id("ene", verdict_id, reference.sha256, self.fast)
        outcome = TaskOutcome(n_out=len(rows), ids=[energy_id], counted=False)
        outcome.add(
            EnergyBatchDoc(
                energy_id=energy_id,
                batch_id=batch.batch_id,
                verdict_id=verdict_id,
                model=reference,
                reference=prediction.reference,
                n=len(rows),
                rows=rows,
                mean=prediction.mean,
                std=prediction.std,
                lower90=prediction.lower90,
                upper90=prediction.upper90,
            ),
            [batch.batch_id, verdict_id],
        )
        return outcome
