"""Structures and campaigns of an older version, brought to the form that is written today.

Older structures have one role, that of their last writer. What the others had said of them is
recovered from the ledger, which lists what every task gave. Nothing is computed.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from screening.schemas import CampaignKind, Stage, StructureRole, TaskState
from stores.merging import claims_pipeline, hand_down_claims

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pymongo.collection import Collection as MongoCollection
    from pymongo.database import Database as MongoDatabase

logger = logging.getLogger(__name__)
REFERENCES = "makers.references.ReferencesMaker"
"""The Maker that gives references, as provenance names it."""
_WITH_ROLES = [
    {
        "$set": {
            "roles": ["$role"],
            "origins": {
                "$map": {
                    "input": {"$ifNull": ["$origins", []]},
                    "as": "origin",
                    "in": {"$mergeObjects": ["$$origin", {"role": "$role"}]},
                }
            },
        }
    }
]


def upgrade(database: MongoDatabase[dict[str, Any]]) -> int:
    """Bring a database of an older version up to date; a later one is left alone.

    Parameters
    ----------
    database
        pymongo's database, of a user who may write.

    Returns
    -------
    Number of structures that were rewritten.
    """
    campaigns = database["campaigns"]
    predictions = {"kind": None, "name": {"$regex": "^predict-"}, "config.validity.enforce": False}
    campaigns.update_many(predictions, {"$set": {"kind": CampaignKind.PREDICTION.value}})
    campaigns.update_many({"kind": None}, {"$set": {"kind": CampaignKind.CAMPAIGN.value}})
    structures = database["structures"]
    older = {"roles": None}
    if structures.find_one(older, {"_id": 1}) is None:  # by the index: this costs nothing
        return 0
    written = structures.count_documents(older)
    structures.update_many({**older, "stage": {"$ne": "generated"}}, _WITH_ROLES)
    for ids, role in _claims_of_tasks(database["tasks"]):
        _recover(structures, ids, role)
        hand_down_claims(structures, ids)
    structures.update_many(older, _WITH_ROLES)  # last: an interrupted upgrade begins again
    database["optimade"].delete_many({})  # made again from the new documents
    logger.warning(
        "%s structures of an older version were given all their roles; "
        "`screening db doctor --fix` brings their crystals up to date",
        f"{written:,}",
    )
    return written


def _claims_of_tasks(
    tasks: MongoCollection[dict[str, Any]],
) -> Iterator[tuple[list[str], StructureRole]]:
    """Yield what tasks gave, and in which role: proposals, and references."""
    done = {"state": TaskState.FINISHED.value}
    for task in tasks.find({**done, "stage": Stage.STRUCTURE.value}, {"summary.ids": 1}):
        yield task["summary"]["ids"], StructureRole.CANDIDATE
    for task in tasks.find({**done, "provenance.maker": REFERENCES}, {"summary.ids": 1}):
        yield task["summary"]["ids"], StructureRole.COMPETING


def _recover(
    structures: MongoCollection[dict[str, Any]], ids: list[str], role: StructureRole
) -> None:
    """Give structures a role that a later writer replaced."""
    among = {"structure_id": {"$in": ids}}
    structures.update_many({**among, "roles": None}, _WITH_ROLES)
    if role == StructureRole.CANDIDATE:
        structures.update_many(among, claims_pipeline([role.value], []))
        return
    replaced = {**among, "roles": [StructureRole.CANDIDATE.value]}
    for number, lost in ((1, StructureRole.ELEMENT), ({"$gt": 1}, role)):
        structures.update_many({**replaced, "nelements": number}, claims_pipeline([lost.value], []))
