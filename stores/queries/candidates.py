"""Candidates of a campaign: their formulas and systems, and how far each has come."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from screening.schemas import Stage

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


def formulas_of_campaign(database: Database, campaign_id: str) -> set[str]:
    """Formulas of a campaign's candidates."""
    rows = database.rows("candidates", {"campaign_id": campaign_id}, ["formula"])
    return {row["formula"] for row in rows}


def best_entries(
    database: Database,
    hull_ids: Iterable[str],
    formulas: Iterable[str],
    *,
    max_above_hull: float,
    limit: int,
) -> list[str]:
    """List candidates on some hulls, the lowest above their hull first.

    Parameters
    ----------
    database
        The database.
    hull_ids
        The hulls.
    formulas
        Reduced formulas that count.
    max_above_hull
        Maximum distance to the hull (eV/atom).
    limit
        Maximum number of structures.
    """
    allowed = set(formulas)
    fields = ["entries.entry_id", "entries.formula", "entries.role", "entries.energy_above_hull"]
    hulls = database.rows("hulls", {"hull_id": {"$in": list(hull_ids)}}, fields)
    distances = {
        entry["entry_id"]: (entry["energy_above_hull"], entry["entry_id"])
        for hull in hulls
        for entry in hull["entries"]
        if entry["role"] == "candidate"
        and entry["formula"] in allowed
        and entry["energy_above_hull"] <= max_above_hull
    }
    return sorted(distances, key=lambda structure_id: distances[structure_id])[:limit]


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
        formulas = candidates.distinct("formula", {"campaign_id": campaign_id})
        generated = {"formula": {"$in": formulas}, "stage": "generated"}
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
