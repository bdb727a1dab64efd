"""Competing phases: the elements and the known phases of a chemical system."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from makers.base import BANK, Inherited, StageMaker, StageSummary, TaskOutcome, stage_job
from screening.checkpoints import read_card
from screening.crystal.elemental_structures import elemental_structures, elements_without_reference
from screening.schemas import (
    OriginDoc,
    SpaceGroupDoc,
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
        from screening.structure import Bank

        elements = chemsys.split("-")
        outcome = TaskOutcome(unit="structures", counted=False)
        missing = elements_without_reference(elements)
        for symbol in missing:
            outcome.count(f"no reference structure of {symbol}")
        available = [symbol for symbol in elements if symbol not in missing]
        documents = [
            _reference(structure, StructureRole.ELEMENT, "elements", symbol)
            for symbol, structure in elemental_structures(available).items()
        ]
        if self.known_phases:
            documents += [
                _reference(phase, StructureRole.COMPETING, "known phases", None)
                for phase in Bank.load(self.checkpoint or BANK).known_phases(elements)
            ]
        for document in documents:
            outcome.add(document)
            outcome.ids.append(document.structure_id)
        outcome.ids = list(dict.fromkeys([*outcome.ids, *imported]))
        outcome.n_out = len(outcome.ids)
        outcome.data[SEARCHED] = {"chemsys": chemsys, "sources": self._sources()}
        return outcome

    def _sources(self) -> list[dict[str, Any]]:
        """Name what was searched for known phases, with its date."""
        if not self.known_phases:
            return []
        return [bank_source(read_card(self.checkpoint or BANK)).model_dump(mode="json")]


def _reference(
    structure: Any, role: StructureRole, method: str, template: str | None
) -> StructureDoc:
    """Describe a reference alike for every system that it belongs to: it has no rank of its own."""
    remarks = structure.properties
    origin = OriginDoc(
        method=method,
        version="1",
        rank=1,
        template=template or remarks.get("prototype"),
        parameters=remarks,
    )
    return StructureDoc.from_structure(
        structure,
        stage=StructureStage.GENERATED,
        role=role,
        symmetry=SpaceGroupDoc.from_structure(structure),
        origins=[origin],
    )


def _imported(database: Database, chemsys: str) -> list[str]:
    """List the imported structures of a system and its subsystems, sorted."""
    query = {**any_of("chemsys", subsystems(chemsys)), "stage": "generated", "roles": "imported"}
    return sorted(
        row["structure_id"] for row in database.rows("structures", query, ["structure_id"])
    )
