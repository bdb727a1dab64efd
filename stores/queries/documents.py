"""Questions that the command line and the dashboard ask, each on an index."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

import bson

from screening.errors import InputError
from screening.schemas import CampaignDoc, CampaignKind, CampaignState, FunnelStage, Stage
from stores.collections import COLLECTIONS
from stores.filter_values import is_sortable
from stores.filters import field_names, parse_filter
from stores.queries.record import hull_stage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stores.database import Database

MATERIAL_FIELDS = (
    "material_id",
    "formula_pretty",
    "symmetry",
    "nsites",
    "formation_energy_per_atom",
    "energy_above_hull",
    "is_stable",
    "dynamic_stability",
    "known",
    "method",
    "energy_source",
    "pressure",
    "hull_id",
    "hull_created",
    "n_references",
    "systems_without_reference",
    "known_source",
    "superseded_by",
)
"""What a listing of materials shows."""
CURRENT: dict[str, Any] = {"superseded_by": None}
"""Query for materials that nothing has replaced; documents of earlier versions match."""
MAX_PAGE = 10_000


@dataclass(frozen=True)
class Page:
    """One page of a listing.

    Attributes
    ----------
    rows
        Plain dictionaries with the wanted fields.
    after
        Token of the next page, or None at the end.
    """

    rows: list[dict[str, Any]]
    after: str | None


def find(
    database: Database,
    text: str = "",
    *,
    collection: str = "materials",
    fields: Sequence[str] = MATERIAL_FIELDS,
    sort: str = "energy_above_hull",
    limit: int = 50,
    after: str | None = None,
    criteria: dict[str, Any] | None = None,
    max_time_ms: int | None = None,
) -> Page:
    """List documents that match a filter, page by page (keyset paging: every page costs the same).

    Parameters
    ----------
    database
        The database.
    text
        Filter in the OPTIMADE grammar; empty for all.
    collection
        Collection to search.
    fields
        Fields that are returned.
    sort
        Field to sort by, with a leading minus for descending; ties by the key, the same way.
    limit
        Rows per page, 1 to 10,000.
    after
        Token of the page before.
    criteria
        A further MongoDB query (never from outside).
    max_time_ms
        Longest time that the server may search; None for any.

    Raises
    ------
    InputError
        If the filter, the field to sort by, the limit or the token is wrong, or it takes too long.
    """
    names = field_names(collection)
    key = COLLECTIONS[collection].key
    column, way = sort.removeprefix("-"), -1 if sort.startswith("-") else 1
    if column not in names and column.split(".")[0] not in names:
        raise InputError(f"cannot sort by {column!r}: use one of {sorted(names)}")
    if not 1 <= limit <= MAX_PAGE:
        raise InputError(f"{limit=} must be 1 to {MAX_PAGE}")
    column = names.get(column, column)
    if not is_sortable(collection, column):
        allowed = sorted(name for name, path in names.items() if is_sortable(collection, path))
        raise InputError(f"cannot sort by {column!r}, which is no single value: use {allowed}")
    clauses = [clause for clause in (parse_filter(text, collection), criteria) if clause]
    if after:
        clauses.append(_beyond(after, column, key, way))
    query = {"$and": clauses} if clauses else {}
    wanted = _without_parts([*fields, column, key])
    order = {column: way, key: way}  # an index serves both ways
    found = database.rows(
        collection, query, wanted, sort=order, limit=limit + 1, max_time_ms=max_time_ms
    )
    rows = list(found)
    more = len(rows) > limit
    rows = rows[:limit]
    return Page(rows, _token(rows[-1], column, key) if more else None)


def _without_parts(names: Sequence[str]) -> list[str]:
    """Leave out fields of which the whole is wanted too: MongoDB refuses both."""
    return [name for name in names if not any(name.startswith(f"{whole}.") for whole in names)]


def dig(row: dict[str, Any], path: str) -> Any:
    """Read a field by its path with dots; None if it is not there."""
    value: Any = row
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _token(row: dict[str, Any], column: str, key: str) -> str:
    content = bson.encode({"v": dig(row, column), "k": row[key]})
    return base64.urlsafe_b64encode(content).decode()


def _beyond(token: str, column: str, key: str, way: int) -> dict[str, Any]:
    """Build the query for rows after the one that the token names."""
    try:
        last = bson.decode(base64.urlsafe_b64decode(token))
        value, name = last["v"], last["k"]
    except (ValueError, KeyError, TypeError, bson.errors.BSONError):
        raise InputError("the page token is not valid: start again from the first page") from None
    if not isinstance(name, str) or isinstance(value, (dict, list)):
        raise InputError("the page token is not valid: start again from the first page")
    operator = "$gt" if way > 0 else "$lt"
    if column == key:
        return {key: {operator: name}}
    beyond: list[dict[str, Any]] = [{column: value, key: {operator: name}}]
    if value is not None:
        beyond.append({column: {operator: value}})
        if way < 0:
            beyond.append({column: None})
    elif way > 0:
        beyond.append({column: {"$ne": None}})
    return {"$or": beyond}


def subsystems(chemsys: str) -> list[str]:
    """List a chemical system and all systems inside it."""
    elements = sorted(chemsys.split("-"))
    return [
        "-".join(part)
        for size in range(1, len(elements) + 1)
        for part in combinations(elements, size)
    ]


def count(database: Database, text: str = "", *, collection: str = "materials") -> int:
    """Count the documents that match a filter."""
    with database.guard():
        return database.raw(collection).count_documents(parse_filter(text, collection))


def campaign_funnel(database: Database, campaign_id: str) -> dict[str, FunnelStage]:
    """Tell what each stage let through: of a finished campaign, as it was when that ended."""
    query = {"campaign_id": campaign_id, "state": CampaignState.FINISHED.value}
    for row in database.rows("campaigns", query, ["funnel"]):
        if row.get("funnel"):
            return {name: FunnelStage.model_validate(one) for name, one in row["funnel"].items()}
    return count_funnel(database, campaign_id)


def count_funnel(database: Database, campaign_id: str) -> dict[str, FunnelStage]:
    """Add up what each stage let through, from the finished tasks of a campaign.

    At the hulls only the campaign's own structures count, on the newest of its own hulls.
    """
    pipeline: list[dict[str, Any]] = [
        {"$match": {"campaign_ids": campaign_id, "state": "finished"}},
        {"$project": {"stage": 1, "summary": 1}},
    ]
    funnel: dict[str, FunnelStage] = {}
    with database.guard():
        for task in database.raw("tasks").aggregate(pipeline):
            summary = task["summary"]
            if not summary["counted"]:
                continue
            stage = funnel.setdefault(task["stage"], FunnelStage())
            for name in ("n_in", "n_out", "n_failed"):
                setattr(stage, name, getattr(stage, name) + summary[name])
            stage.unit = summary["unit"]
            for reason, number in summary["reasons"].items():
                stage.reasons[reason] = stage.reasons.get(reason, 0) + number
    if drawn := funnel.get(Stage.GENERATION.value):
        drawn.n_in = drawn.n_out + drawn.n_failed + sum(drawn.reasons.values())
    placed = hull_stage(database, campaign_id)
    if placed is not None:
        funnel[Stage.HULL.value] = placed
    order = [stage.value for stage in Stage]
    return dict(sorted(funnel.items(), key=lambda item: order.index(item[0])))


def task_states(database: Database, campaign_id: str) -> dict[str, dict[str, int]]:
    """Count the tasks of a campaign by stage and state."""
    pipeline: list[dict[str, Any]] = [
        {"$match": {"campaign_ids": campaign_id}},
        {"$group": {"_id": {"stage": "$stage", "state": "$state"}, "n": {"$sum": 1}}},
    ]
    states: dict[str, dict[str, int]] = {}
    with database.guard():
        for group in database.raw("tasks").aggregate(pipeline):
            states.setdefault(group["_id"]["stage"], {})[group["_id"]["state"]] = group["n"]
    return states


def failed_tasks(database: Database, campaign_id: str) -> list[dict[str, Any]]:
    """List the failed tasks of a campaign with the last error."""
    rows = database.rows(
        "tasks",
        {"campaign_ids": campaign_id, "state": "failed"},
        ["task_key", "stage", "attempts"],
    )
    return [
        {"task_key": row["task_key"], "stage": row["stage"], "error": row["attempts"][-1]["error"]}
        for row in rows
        if row["attempts"]
    ]


def find_campaign(database: Database, name: str | None) -> CampaignDoc:
    """Find a campaign by identifier or name; without one, the last that is not a prediction.

    Raises
    ------
    InputError
        If there is none.
    """
    named = {"$or": [{"campaign_id": name}, {"name": name}]}
    query = named if name else {"kind": {"$ne": CampaignKind.PREDICTION.value}}
    found = next(database.find(CampaignDoc, query, sort={"updated": -1}, limit=1), None)
    if found is None:
        raise InputError(
            f"no campaign {name!r}: `screening status` lists them"
            if name
            else "there is no campaign yet: `screening init`, then `screening run campaign.yaml`"
        )
    return found
