"""How far campaigns are: states, rates, failures, jobs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from screening.hull.standing import STABLE
from screening.schemas import Stage
from stores.collections import COLLECTIONS
from stores.queries.documents import CURRENT

if TYPE_CHECKING:
    from stores.database import Database

COUNT_LIMIT = 1000
ORDER = [stage.value for stage in Stage]
CAMPAIGN_FIELDS = (
    "campaign_id", "name", "state", "seed", "launcher", "created", "updated", "error", "funnel",
)  # fmt: skip


def mark_submitted(database: Database, campaign_id: str) -> None:
    """Mark a campaign as submitted, unless a worker has changed its state in the meantime."""
    query = {"campaign_id": campaign_id, "state": "submitting"}
    with database.guard():
        database.raw("campaigns").update_one(query, {"$set": {"state": "submitted"}})


def campaigns(database: Database, *, limit: int = 200) -> list[dict[str, Any]]:
    """List campaigns, the last one first; crystals of each are counted up to `COUNT_LIMIT`."""
    rows = list(
        database.rows(
            "campaigns", {}, CAMPAIGN_FIELDS, sort={"updated": -1, "campaign_id": 1}, limit=limit
        )
    )
    with database.guard():
        for row in rows:
            mine = {"campaign_ids": row["campaign_id"], **CURRENT}
            stable = {**mine, "energy_above_hull": {"$lte": STABLE}}
            for name, query in (("n_materials", mine), ("n_stable", stable)):
                count = database.raw("materials").count_documents
                row[name] = count(query, limit=COUNT_LIMIT)
    return rows


def campaign_names(database: Database, *, limit: int = 200) -> dict[str, str]:
    """Map identifiers of the last campaigns to their names."""
    order = {"updated": -1, "campaign_id": 1}
    rows = database.rows("campaigns", {}, ["campaign_id", "name"], sort=order, limit=limit)
    return {row["campaign_id"]: row["name"] for row in rows}


def stage_rates(database: Database, campaign_id: str) -> list[dict[str, Any]]:
    """Tell for each stage of a campaign how many tasks are in which state, and how fast it is.

    Returns
    -------
    In the order of the stages: `stage`, `states` (state -> tasks), `items` and `seconds` of the
    finished tasks, `rate` (items/s of one process; None before the first task ends), `started`,
    `ended`.
    """
    seconds = {"$divide": [{"$subtract": ["$provenance.ended", "$provenance.started"]}, 1000.0]}
    pipeline: list[dict[str, Any]] = [
        {"$match": {"campaign_ids": campaign_id}},
        {
            "$group": {
                "_id": {"stage": "$stage", "state": "$state"},
                "n": {"$sum": 1},
                "items": {"$sum": "$n_inputs"},
                "seconds": {"$sum": seconds},
                "started": {"$min": "$provenance.started"},
                "ended": {"$max": "$provenance.ended"},
            }
        },
    ]
    stages: dict[str, dict[str, Any]] = {}
    with database.guard():
        for group in database.raw("tasks").aggregate(pipeline):
            name, state = group["_id"]["stage"], group["_id"]["state"]
            row = stages.setdefault(name, {"stage": name, "states": {}, "rate": None})
            row["states"][state] = group["n"]
            if state == "finished":
                row |= {key: group[key] for key in ("items", "seconds", "started", "ended")}
                row["rate"] = group["items"] / group["seconds"] if group["seconds"] else None
    return sorted(stages.values(), key=lambda row: ORDER.index(row["stage"]))


def job_states(database: Database) -> list[dict[str, Any]]:
    """Count the tasks of all campaigns by stage and state."""
    pipeline: list[dict[str, Any]] = [
        {"$group": {"_id": {"stage": "$stage", "state": "$state"}, "n": {"$sum": 1}}}
    ]
    with database.guard():
        groups = list(database.raw("tasks").aggregate(pipeline))
    rows = [{**group["_id"], "n": group["n"]} for group in groups]
    return sorted(rows, key=lambda row: (ORDER.index(row["stage"]), row["state"]))


def collection_sizes(database: Database) -> dict[str, int]:
    """Count the documents of each collection, as the server's own books have it."""
    with database.guard():
        return {name: database.raw(name).estimated_document_count() for name in COLLECTIONS}


def server_version(database: Database) -> str:
    """Version of the MongoDB server."""
    with database.guard():
        return str(database.raw("tasks").database.command("buildInfo")["version"])
