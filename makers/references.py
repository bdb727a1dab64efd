"""Competing phases: the elements and the known phases of a chemical system."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from makers.base import BANK, Inherited, StageMaker, StageSummary, TaskOutcome, stage_job
from screening.checkpoints import read_card
from screening.schemas import (
    OriginDoc,
    Stage,
    StructureDoc,
    StructureRole,
    StructureStage,
)
from stores import Database, open_database
from stores.queries.criteria import any_of
from stores.queries.documents import subsystems
from stores.references import SEARCHED, bank_source


@dataclass
class ReferencesMaker(StageMaker):
    """Put the competing phases of a chemical system into `structures`.

    They are relaxed like the candidates, so that all energies have one source.

    Attributes
    ----------
    known_phases
        Beside the elements, all decorations in the prototype bank that lie in the system.
    checkpoint
        Prototype bank; None: the campaign's.
    """

    name: str = "references"
    stage: ClassVar[Stage] = Stage.HULL
    inherited: ClassVar[dict[str, Inherited]] = {"checkpoint": Inherited("bank", BANK)}
    known_phases: bool = True
    checkpoint: str | None = None

    @stage_job
    def make(self, chemsys: str, campaign_id: str | None = None) -> StageSummary:
        """Write the elements (DeltaCodes' structures) and the known phases of one system."""
        imported = _imported(open_database(), chemsys)
        return self.run(
            lambda _: self._collect(chemsys, imported),
            inputs={"chemsys": chemsys, "imported": imported},
            n_in=0,
            campaign_id=campaign_id,
        )

    def _collect(self, chemsys: str, imported: list[str]) -> TaskOutcome:
        from screening.hull import elemental_structures
        from screening.structure import Bank

        elements = chemsys.split("-")
        outcome = TaskOutcome(unit="structures", counted=False)
        found: list[tuple[Any, StructureRole, str, str | None]] = [
            (structure, StructureRole.ELEMENT, "elements", symbol)
            for symbol, structure in elemental_structures(elements).items()
        ]
        if self.known_phases:
            found += [
                (phase, StructureRole.COMPETING, "known phases", None)
                for phase in Bank.load(self.checkpoint or BANK).known_phases(elements)
            ]
        for rank, (structure, role, method, template) in enumerate(found, start=1):
            origin = OriginDoc(method=method, version="1", rank=rank, template=template)
            document = StructureDoc.from_structure(
                structure, stage=StructureStage.GENERATED, role=role, origins=[origin]
            )
            outcome.add(document)
            outcome.ids.append(document.structure_id)
        outcome.ids += imported
        outcome.n_out = len(outcome.ids)
        outcome.data[SEARCHED] = {"chemsys": chemsys, "sources": self._sources()}
        return outcome

    def _sources(self) -> list[dict[str, Any]]:
        """Name what was searched for known phases, with its date."""
        if not self.known_phases:
            return []
        return [bank_source(read_card(self.checkpoint or BANK)).model_dump(mode="json")]


def _imported(database: Database, chemsys: str) -> list[str]:
    """List the imported structures of a system and its subsystems, sorted."""
    query = {**any_of("chemsys", subsystems(chemsys)), "stage": "generated", "role": "imported"}
    return sorted(
        row["structure_id"] for row in database.rows("structures", query, ["structure_id"])
    )
