"""Which campaign a structure belongs to: those whose own tasks have produced it.

The ledger knows: a task names the campaigns that asked for it, and its summary the structures that
it gave. A task that two campaigns share belongs to both.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from screening.schemas import Stage, TaskState

if TYPE_CHECKING:
    from collections.abc import Iterable

    from stores.database import Database

CHUNK = 10_000
"""Structures that are asked for at a time."""
RELAXATIONS = (Stage.RELAX.value, Stage.VALIDATION.value)


def campaigns_of(
    database: Database, structure_ids: Iterable[str], stages: Iterable[str] = RELAXATIONS
) -> dict[str, set[str]]:
    """Find the campaigns whose candidates some structures are.

    Parameters
    ----------
    database
        The database.
    structure_ids
        Structures.
    stages
        Stages whose tasks give them.

    Returns
    -------
    Structure -> campaigns; structures that no campaign counts, such as references, are left out.
    """
    names = sorted(set(structure_ids))
    campaigns: dict[str, set[str]] = {}
    for start in range(0, len(names), CHUNK):
        chunk = set(names[start : start + CHUNK])
        query = {
            "summary.ids": {"$in": sorted(chunk)},
            "stage": {"$in": sorted(stages)},
            "state": TaskState.FINISHED.value,
            "summary.counted": True,
        }
        for task in database.rows("tasks", query, ["campaign_ids", "summary.ids"]):
            for name in chunk.intersection(task["summary"]["ids"]):
                campaigns.setdefault(name, set()).update(task["campaign_ids"])
    return campaigns


def produced_by(
    database: Database, campaign_id: str, stage: Stage, *, counted: bool = True
) -> list[str]:
    """List the documents that the finished tasks of a campaign gave at one stage, each once.

    Parameters
    ----------
    database
        The database.
    campaign_id
        The campaign.
    stage
        The stage.
    counted
        Only what belongs to the funnel: candidates, not references.
    """
    query = {
        "campaign_ids": campaign_id,
        "stage": stage.value,
        "state": TaskState.FINISHED.value,
        **({"summary.counted": True} if counted else {}),
    }
    rows = database.rows("tasks", query, ["summary.ids"], sort={"task_key": 1})
    return list(dict.fromkeys(name for row in rows for name in row["summary"]["ids"]))
