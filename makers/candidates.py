"""The choice of candidates: the best compositions of all batches, ranked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from makers.base import StageMaker, StageSummary, TaskOutcome, stage_job
from screening.composition import CompositionArray
from screening.energy.ranking import rank_compositions
from screening.energy.selection import candidate_document, packed_row
from screening.errors import DatabaseError
from screening.schemas import CandidateDoc, EnergyBatchDoc, Stage, VerdictBatchDoc
from stores import Database
from stores.queries.batches import read_batch


@dataclass
class _Rows:
    """Compositions in the running: where each one is, and its energy (eV/atom)."""

    compositions: CompositionArray
    energies: np.ndarray[Any, Any]
    batch: np.ndarray[Any, Any]
    position: np.ndarray[Any, Any]

    def __getitem__(self, index: Any) -> _Rows:
        return _Rows(
            self.compositions[index], self.energies[index], self.batch[index], self.position[index]
        )

    @staticmethod
    def join(parts: list[_Rows]) -> _Rows:
        return _Rows(
            CompositionArray.concatenate([part.compositions for part in parts]),
            *(
                np.concatenate([getattr(part, name) for part in parts])
                for name in ("energies", "batch", "position")
            ),
        )


@dataclass
class CandidatesMaker(StageMaker):
    """Choose the most promising compositions.

    Attributes
    ----------
    top
        How many candidates.
    rank_by
        ``hull``: by the distance to the predicted hull of all compositions of the campaign, which
        must share one chemical system; ``formation_energy``: by the predicted energy, as in
        AlphaCrystal (arXiv:2102.01620); ``auto``: hull where that is possible.
    max_above_predicted_hull
        With ``hull``, leave out what is farther above (eV/atom).
    """

    name: str = "candidates"
    stage: ClassVar[Stage] = Stage.ENERGY
    progress: ClassVar[str | None] = "choice"
    top: Annotated[int, Field(ge=1, le=100_000)] = 50
    rank_by: Literal["auto", "hull", "formation_energy"] = "auto"
    max_above_predicted_hull: Annotated[float | None, Field(ge=0)] = None

    @stage_job
    def make(
        self, energies: list[StageSummary], campaign_id: str, *, one_system: bool
    ) -> StageSummary:
        """Merge all batches, rank, and write `candidates`."""
        energy_ids = [summary.ids[0] for summary in energies]
        by_hull = self.rank_by == "hull" or (self.rank_by == "auto" and one_system)
        return self.run(
            lambda database: self._choose(database, energy_ids, campaign_id, by_hull=by_hull),
            inputs={"energy_ids": energy_ids, "campaign_id": campaign_id, "by_hull": by_hull},
            n_in=sum(summary.n_out for summary in energies),
            campaign_id=campaign_id,
        )

    def _choose(
        self, database: Database, energy_ids: list[str], campaign_id: str, *, by_hull: bool
    ) -> TaskOutcome:
        rows, total = self._stream(database, energy_ids, by_hull=by_hull)
        best, scores = rank_compositions(
            rows.compositions, rows.energies, top=self.top, by_hull=by_hull
        )
        limit = self.max_above_predicted_hull
        if by_hull and limit is not None:
            best, scores = best[scores <= limit], scores[scores <= limit]
        outcome = TaskOutcome(n_out=len(best), reasons={"not among the best": total - len(best)})
        documents = _documents(database, energy_ids, rows[best], scores, campaign_id)
        for document, parents in documents:
            outcome.add(document, parents)
            outcome.ids.append(document.candidate_id)
        return outcome

    def _stream(
        self, database: Database, energy_ids: list[str], *, by_hull: bool
    ) -> tuple[_Rows, int]:
        """Read batch after batch; without a hull only the best rows are kept."""
        kept: list[_Rows] = []
        total = 0
        for number, energy_id in enumerate(energy_ids):
            energies = _read_energies(database, energy_id)
            batch = read_batch(database, energies.batch_id)
            total += energies.n
            kept.append(
                _Rows(
                    CompositionArray(batch.numbers, batch.counts)[energies.rows],
                    energies.mean,
                    np.full(energies.n, number),
                    np.arange(energies.n),
                )
            )
            if not by_hull:
                joined = _Rows.join(kept)
                best, _ = rank_compositions(
                    joined.compositions, joined.energies, top=self.top, by_hull=False
                )
                kept = [joined[np.sort(best)]]
        return _Rows.join(kept), total


def _read_energies(database: Database, energy_id: str) -> EnergyBatchDoc:
    energies = database.get(EnergyBatchDoc, energy_id)
    if energies is None:
        raise DatabaseError(f"energies {energy_id} are missing: run the campaign again")
    return energies


def _documents(
    database: Database,
    energy_ids: list[str],
    rows: _Rows,
    scores: np.ndarray[Any, Any],
    campaign_id: str,
) -> list[tuple[CandidateDoc, list[str]]]:
    """Describe the chosen rows, best first."""
    formulas = rows.compositions.formulas()
    documents: list[tuple[CandidateDoc, list[str]] | None] = [None] * len(formulas)
    for number in np.unique(rows.batch):
        energies = _read_energies(database, energy_ids[number])
        batch = read_batch(database, energies.batch_id)
        verdicts = database.get(VerdictBatchDoc, energies.verdict_id)
        assert verdicts is not None
        for i in np.flatnonzero(rows.batch == number):
            parts = packed_row(batch, verdicts, energies, int(rows.position[i]))
            documents[i] = (
                candidate_document(campaign_id, formulas[i], int(i) + 1, float(scores[i]), parts),
                [batch.batch_id, verdicts.verdict_id, energies.energy_id],
            )
    return [document for document in documents if document is not None]
