"""The seventh stage: duplicates, and the convex hull of a chemical system at one pressure."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import isfinite
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field

from db_config import get_settings
from makers.base import StageSummary, TaskOutcome, stage_job
from makers.engine import EngineMaker
from makers.fields import ADDED
from screening.checkpoints import set_checkpoint_folder
from screening.hull import build_hull
from screening.progress import report
from screening.references.hulls import add_references, reference_checkpoints
from screening.relax import group_duplicates
from screening.schemas import Stage, StructureDoc, StructureRole, StructureStage, utc_now
from screening.schemas.relax import energy_source
from stores import Database, open_database
from stores.builders import build_materials
from stores.queries.criteria import any_of
from stores.queries.documents import subsystems
from stores.references import searched_sources

if TYPE_CHECKING:
    from datetime import datetime


@dataclass
class HullMaker(EngineMaker):
    """Build the hull of everything in the database with energies of one engine at one pressure.

    Without an energy of each element there is none: the funnel says so.

    Attributes
    ----------
    engine, engine_options
        See `EngineMaker`; the same as of the relaxations.
    max_above_hull
        What counts as a discovery: at most this far above the hull (eV/atom).
    reference
        Table of reference compounds with DFT energies that every crystal is compared with, too:
        ``bundled``, the name of a table of the user's (`screening references table`), or
        ``own`` for none. Only energies of an engine whose scale is known are compared.
    """

    name: str = "hull"
    stage: ClassVar[Stage] = Stage.HULL
    version: ClassVar[int] = 3
    of: ClassVar[StructureStage] = StructureStage.RELAXED
    """Which structures have the energies."""
    max_above_hull: Annotated[float, Field(ge=0)] = 0.1
    reference: str = field(default="bundled", metadata=ADDED)

    def source(self) -> str:
        """Name the energy source."""
        return self.engine_name()

    @stage_job
    def make(
        self, chemsys: str, campaign_id: str | None = None, *, pressure: float = 0.0
    ) -> StageSummary:
        """Find duplicates, keep the hull as a new version, and place every known crystal on it."""
        listed = utc_now()
        entries = relaxed_ids(open_database(), chemsys, self.source(), self.of, pressure)
        source = energy_source(self.source(), pressure)
        summary = self.run(
            lambda database: self._build(database, chemsys, entries, source, listed),
            inputs={"chemsys": chemsys, "entries": entries} | self._ground(pressure),
            n_in=len(entries),
            campaign_id=campaign_id,
        )
        build_materials(open_database(), summary.ids, self.max_above_hull)
        return summary

    def _ground(self, pressure: float) -> dict[str, list[str]]:
        """Name the scale and the table that crystals are compared with; nothing where none is."""
        set_checkpoint_folder(get_settings().checkpoint_dir)
        return reference_checkpoints(self.source(), self.reference, pressure)

    def _build(
        self, database: Database, chemsys: str, entries: list[str], source: str, listed: datetime
    ) -> TaskOutcome:
        read = database.get_many(StructureDoc, entries, blobs=False)
        documents = [document for document in read if _is_finite(document)]
        missing = sorted(set(chemsys.split("-")) - {document.chemsys for document in documents})
        if missing:
            text = f"no hull: {source} has no energy of {', '.join(missing)}"
            reasons = {text: len(read)} if read else {}
            return TaskOutcome(unit="structures", reasons=reasons, data={"reason": text})
        groups = group_duplicates(documents, progress=lambda n, of: report(self.stage, n, of))
        hull = build_hull(chemsys, groups, source)
        hull.version = 1 + _last_version(database, chemsys, source)
        hull.created = listed  # of two hulls the one with the later entries is the newer
        hull.searched = searched_sources(database, chemsys, self.of)
        if self._ground(hull.pressure):
            add_references(hull, self.source(), self.reference)
        database.patch(StructureDoc, _duplicates(groups))
        near = [
            entry for entry in hull.entries
            if entry.role == StructureRole.CANDIDATE
            and min(entry.energy_above_hull, entry.distance) <= self.max_above_hull
        ]  # fmt: skip
        n_candidates = sum(entry.role == StructureRole.CANDIDATE for entry in hull.entries)
        outcome = TaskOutcome(n_out=len(near), unit="structures", ids=[hull.hull_id])
        reasons = {
            "energy not finite": len(read) - len(documents),
            "duplicate": len(documents) - len(groups),
            "reference": len(groups) - n_candidates,
            f"above {self.max_above_hull} eV/atom": n_candidates - len(near),
        }
        outcome.reasons = {reason: n for reason, n in reasons.items() if n}
        outcome.add(hull)
        return outcome


@dataclass
class DftHullMaker(HullMaker):
    """Build the hull of everything that was relaxed by DFT, with energies of one source."""

    name: str = "dft hull"
    version: ClassVar[int] = 2
    stage: ClassVar[Stage] = Stage.VALIDATION
    of: ClassVar[StructureStage] = StructureStage.DFT

    def source(self) -> str:
        """Name the energy source: see `screening.validation.energy_source`."""
        return self.engine or ""

    def _build(
        self, database: Database, chemsys: str, entries: list[str], source: str, listed: datetime
    ) -> TaskOutcome:
        outcome = super()._build(database, chemsys, entries, source, listed)
        outcome.counted = False
        return outcome


def relaxed_ids(
    database: Database,
    chemsys: str,
    engine: str,
    stage: StructureStage = StructureStage.RELAXED,
    pressure: float = 0.0,
) -> list[str]:
    """List the usable relaxed structures of a system and its subsystems at a pressure, sorted."""
    query = {
        **any_of("chemsys", subsystems(chemsys)),
        "stage": stage.value,
        "relaxation.engine": engine,
        "relaxation.pressure": pressure,
        "state": "ok",
    }
    return sorted(
        row["structure_id"] for row in database.rows("structures", query, ["structure_id"])
    )


def _is_finite(document: StructureDoc) -> bool:
    """Tell whether a relaxed structure has an energy that can be compared."""
    energy = document.relaxation.ranking_energy if document.relaxation else None
    return energy is not None and isfinite(energy)


def _last_version(database: Database, chemsys: str, source: str) -> int:
    query = {"chemsys": chemsys, "energy_source": source}
    rows = database.rows("hulls", query, ["version"], sort={"version": -1}, limit=1)
    return next((row["version"] for row in rows), 0)


def _duplicates(groups: list[list[StructureDoc]]) -> dict[str, dict[str, Any]]:
    """Say of each structure which one it is a duplicate of; the first of a group is its best."""
    return {
        document.structure_id: {
            "duplicate_of": None if document is group[0] else group[0].structure_id
        }
        for group in groups
        for document in group
    }
