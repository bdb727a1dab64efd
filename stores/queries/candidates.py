"""Candidates of a campaign: their formulas and systems, and how far each has come."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from screening.schemas import Stage
from stores.membership import produced_by

if TYPE_CHECKING:
    from collections.abc import Iterable

    from stores.database import Database


def candidate_formulas(database: Database, candidate_ids: Iterable[str]) -> dict[str, str]:
    """Look up the formulas of candidates by identifier; unknown identifiers are left out."""
    query = {"candidate_id": {"$in": list(candidate_ids)}}
    rows = database.rows("candidates", query, ["candidate_id", "formula"])
    return {row["candidate_id"]: row["formula"] for row in rows}


def candidate_systems(database: Database, candidate_ids: Iterable[str]) -> set[str]:
    """Chemical systems of candidates."""
    query = {"candidate_id": {"$in": list(candidate_ids)}}
    return {row["chemsys"] for row in database.rows("candidates", query, ["chemsys"])}


def mark_stages(database: Database, campaign_id: str) -> None:
    """Write on each candidate of a campaign how far it has come."""
    query = {"campaign_ids": campaign_id}
    reached: dict[Stage, dict[str, Any]] = {
        Stage.HULL: query,
        Stage.PHONON: {**query, "dynamic_stability": {"$ne": None}},
        Stage.VALIDATION: {**query, "task_ids.0": {"$exists": True}},
    }
    with database.guard():
        candidates, materials = database.raw("candidates"), database.raw("materials")
        proposed = produced_by(database, campaign_id, Stage.STRUCTURE)
        generated = {"structure_id": {"$in": proposed}}
        by_stage = {
            Stage.STRUCTURE: database.raw("structures").distinct("formula", generated),
            **{
                stage: materials.distinct("formula_pretty", criteria)
                for stage, criteria in reached.items()
            },
        }
        for stage, names in by_stage.items():
            candidates.update_many(
                {"campaign_id": campaign_id, "formula": {"$in": names}},
                {"$set": {"stage": stage.value}},
            )
