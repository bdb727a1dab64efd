"""The probability that a composition has a stable crystal, after its structures were relaxed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

import numpy as np
from pydantic import Field

from db_config import get_settings
from makers.base import StageMaker, StageSummary, TaskOutcome, stage_job
from screening.energy import EnergyModel
from screening.engines import Crystal, engine_id, make_engine
from screening.engines.threads import one_thread
from screening.errors import EngineError, InputError
from screening.evaluation.stability.background import background_of, with_judge
from screening.references import reference_table
from screening.schemas import Stage, StructureDoc
from screening.stability import evidence_of, stability_documents, stability_model
from screening.stability.assess import DECIDED
from screening.stability.evidence import JUDGED
from stores import Database, open_database
from stores.queries.criteria import any_of

if TYPE_CHECKING:
    from screening.stability import StructureEvidence


@dataclass
class StabilityMaker(StageMaker):
    """Give each composition its probability of stability, against all known compounds.

    Attributes
    ----------
    checkpoint
        Model of the probabilities.
    energy
        Model of the formation energies of compositions.
    reference
        Table of known compounds.
    judge
        Whether the second potential of the model is asked, where its weights are here.
    prevalence
        Share of stable compositions that is expected among the candidates; empty: that of the
        training set (the Materials Project).
    """

    name: str = "stability"
    stage: ClassVar[Stage] = Stage.STABILITY
    checkpoint: str = "stability"
    energy: str = "energy"
    reference: str = "bundled"
    judge: bool = True
    prevalence: Annotated[float | None, Field(gt=0, lt=1)] = None

    def source(self) -> str:
        """Name what else decides: the composition model and the diagram."""
        reference = reference_table(self.reference).ref.sha256
        return f"{self._reference(self.energy).sha256} {reference}"

    @stage_job
    def make(self, campaign_id: str, engine: str) -> StageSummary:
        """Judge all candidates of a campaign; documents are kept in `stabilities`.

        Parameters
        ----------
        campaign_id
            The campaign.
        engine
            Source of the energies of its relaxed structures, as documents name it.
        """
        database = open_database()
        rows = database.rows("candidates", {"campaign_id": campaign_id}, ["formula"])
        formulas = sorted({row["formula"] for row in rows})
        structures = _relaxed_ids(database, formulas, engine)
        return self.run(
            lambda database: self._judge(database, formulas, structures),
            inputs={"formulas": formulas, "structures": structures},
            n_in=len(formulas),
            campaign_id=campaign_id,
        )

    def _judge(self, database: Database, formulas: list[str], structures: list[str]) -> TaskOutcome:
        outcome = TaskOutcome()
        if not formulas:
            return outcome
        model = stability_model(self.checkpoint)
        table = reference_table(self.reference)
        background = background_of(formulas, table=table, energy=EnergyModel.load(self.energy))
        documents = database.get_many(StructureDoc, structures, blobs=False)
        judge = model.judge if self.judge else None
        evidences = [
            _evidence([doc for doc in documents if doc.formula == formula], judge)
            for formula in formulas
        ]
        for document, evidence in zip(
            stability_documents(model, background, evidences, table, self.prevalence),
            evidences,
            strict=True,
        ):
            proposals = evidence.proposals if evidence else ()
            parents = [p.structure_id for p in proposals if p.structure_id]
            outcome.add(document, parents)
            outcome.ids.append(document.stability_id)
            outcome.count(document.verdict.worded(document.verdict_by))
            outcome.n_out += document.probability.on_hull >= DECIDED
        return outcome


def _relaxed_ids(database: Database, formulas: list[str], engine: str) -> list[str]:
    query = {
        **any_of("formula", formulas),
        "stage": "relaxed",
        "relaxation.engine": engine,
        "relaxation.pressure": 0.0,
    }
    rows = database.rows("structures", query, ["structure_id"])
    return sorted(row["structure_id"] for row in rows)


def _evidence(documents: list[StructureDoc], judge: str | None) -> StructureEvidence | None:
    """Collect the structures of one composition, with the judge's energies of the lowest ones."""
    evidence = evidence_of(documents)
    if evidence is None or not evidence.proposals:
        return None
    if judge is None or not engine_is_here(judge):
        return evidence
    shapes = {doc.structure_id: doc for doc in documents}
    lowest = [p.structure_id for p in evidence.proposals[:JUDGED] if p.structure_id]
    energies = single_point_energies(judge, [shapes[name] for name in lowest])
    return with_judge(evidence, judge, dict(zip(lowest, energies, strict=True)))


def engine_is_here(engine: str) -> bool:
    """Tell whether an engine's package and weights are on this machine."""
    try:
        engine_id(engine)
    except (EngineError, InputError):
        return False
    return True


def single_point_energies(engine: str, documents: list[StructureDoc]) -> list[float]:
    """Energies of structures as they are (eV/atom)."""
    potential = make_engine(engine, device=get_settings().device)
    crystals = [Crystal.from_structure(doc.to_structure()) for doc in documents]
    with one_thread():
        results = potential.evaluate(crystals)
    return [
        float(np.float64(result.energy) / len(crystal))
        for result, crystal in zip(results, crystals, strict=True)
    ]
