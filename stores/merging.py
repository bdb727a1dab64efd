"""Writing structures so that the order of their writers does not matter.

The same crystal is written by several tasks: a known phase is also proposed by a method, imported
from a file, and a reference of many chemical systems. A structure has content (cell, atoms, energy,
and the provenance of these) and claims (roles, origins, parents). One atomic update merges a
document into the stored one: the content that comes first in a total order stays, and claims are
united as sets. Both operations are commutative, associative and idempotent.

A relaxed structure has the claims of the structure that it was made from, also of those that come
after the relaxation.
"""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING, Any

import bson
from pymongo import UpdateOne
from pymongo.errors import BulkWriteError

from screening.schemas import Stage, StructureRole
from stores.encoding import encode_document

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pymongo.collection import Collection as MongoCollection

BULK = 500
DUPLICATE_KEY = 11000
CLAIMS = ("roles", "role", "origins", "duplicate_of")
"""Fields that do not belong to the content; hulls patch `duplicate_of`."""
ROLES = [role.value for role in StructureRole]
ORIGIN_FIELDS = (
    "rank", "method", "version", "template", "seed", "score", "parameters", "role",
)  # fmt: skip
ORIGIN_ORDER = dict.fromkeys(ORIGIN_FIELDS, 1)
"""Origins are kept the best rank first, then by all of their fields."""
NO_ENERGY = float("inf")


def merge_structures(
    collection: MongoCollection[dict[str, Any]],
    rows: Iterable[dict[str, Any]],
    write: Callable[[str, bytes], None],
) -> None:
    """Merge structures into the stored ones, and their claims into what was made from them.

    Parameters
    ----------
    collection
        The collection `structures`.
    rows
        Documents as dictionaries.
    write
        Stores a large field under its SHA-256; see `encode_document`.
    """
    documents = [bson.decode(encode_document(row, write)) for row in rows]
    for start in range(0, len(documents), BULK):
        _write(
            collection,
            [
                UpdateOne({"structure_id": row["structure_id"]}, merging_pipeline(row), upsert=True)
                for row in documents[start : start + BULK]
            ],
        )
    # A child that is written after this look reads its parent's claims itself, so that of two
    # concurrent writers at least one sees the other's document.
    hand_down_claims(collection, {row.get("parent_id") or row["structure_id"] for row in documents})


def _write(
    collection: MongoCollection[dict[str, Any]], operations: list[UpdateOne], *, again: bool = True
) -> None:
    """Write, and once more where another process inserted the same key at the same moment."""
    try:
        collection.bulk_write(operations, ordered=False)
    except BulkWriteError as error:
        codes = {fault["code"] for fault in error.details["writeErrors"]}
        if not again or codes != {DUPLICATE_KEY}:
            raise
        _write(collection, operations, again=False)


def merging_pipeline(row: dict[str, Any]) -> list[dict[str, Any]]:
    """Build the update that merges an encoded structure into the stored one, or inserts it."""
    content = {name: value for name, value in row.items() if name not in CLAIMS}
    provenance = row.get("provenance") or {}
    parents = _union("$provenance.parents", provenance.get("parents") or [])
    first = {"$or": [_missing("$stage"), {"$lt": [_literal(_order(row)), _STORED_ORDER]}]}
    return [
        {"$set": {"_first": first, "_parents": {"$sortArray": {"input": parents, "sortBy": 1}}}},
        {
            "$set": {
                **{
                    name: {"$cond": ["$_first", _literal(value), f"${name}"]}
                    for name, value in content.items()
                    if name != "structure_id"
                },
                "duplicate_of": {"$ifNull": ["$duplicate_of", _literal(row.get("duplicate_of"))]},
                **_united(row["roles"], row["origins"]),
            }
        },
        {"$set": {"role": {"$first": "$roles"}, "provenance": _with_parents()}},
        {"$unset": ["_first", "_parents"]},
    ]


def claims_pipeline(roles: list[str], origins: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Build the update that adds roles and origins to a stored structure."""
    return [{"$set": _united(roles, origins)}, {"$set": {"role": {"$first": "$roles"}}}]


def hand_down_claims(collection: MongoCollection[dict[str, Any]], parents: Iterable[str]) -> None:
    """Give structures the roles and origins of those that they were made from, to the last one."""
    fields = {"_id": 0, "structure_id": 1, "parent_id": 1, "roles": 1, "origins": 1}
    level = sorted(parents)
    while level:
        claims = {
            row["structure_id"]: row
            for row in collection.find({"structure_id": {"$in": level}}, fields)
        }
        children = list(collection.find({"parent_id": {"$in": level}}, fields))
        updates = [
            UpdateOne(
                {"structure_id": child["structure_id"]},
                claims_pipeline(parent["roles"], parent["origins"]),
            )
            for child in children
            if (parent := claims.get(child["parent_id"])) and _lacks(child, parent)
        ]
        if updates:
            collection.bulk_write(updates, ordered=False)
        level = sorted({child["structure_id"] for child in children})


def _lacks(child: dict[str, Any], parent: dict[str, Any]) -> bool:
    """Tell whether a structure lacks a claim of its parent."""
    return not set(parent["roles"]) <= set(child["roles"]) or any(
        origin not in child["origins"] for origin in parent["origins"]
    )


def _literal(value: Any) -> dict[str, Any]:
    """Protect a value: names with dots and dollars are the user's, not expressions."""
    return {"$literal": value}


def _missing(path: str) -> dict[str, Any]:
    return {"$eq": [{"$type": path}, "missing"]}


def _union(path: str, values: list[Any]) -> dict[str, Any]:
    return {"$setUnion": [{"$ifNull": [path, []]}, _literal(values)]}


def _united(roles: list[str], origins: list[dict[str, Any]]) -> dict[str, Any]:
    """Unite claims with the stored ones, in an order that depends on the claims alone."""
    held = _union("$roles", roles)
    return {
        "roles": {
            "$filter": {"input": _literal(ROLES), "as": "role", "cond": {"$in": ["$$role", held]}}
        },
        "origins": {"$sortArray": {"input": _union("$origins", origins), "sortBy": ORIGIN_ORDER}},
    }


def _with_parents() -> dict[str, Any]:
    """Put the parents of all writers into the provenance that stays."""
    merged = {"$mergeObjects": ["$provenance", {"parents": "$_parents"}]}
    return {"$cond": [{"$eq": [{"$ifNull": ["$provenance", None]}, None]}, None, merged]}


def _order(row: dict[str, Any]) -> list[Any]:
    """Order of a content: usable ones, the lowest energy, those with a symmetry, the proposals.

    Equal ones are ordered by task and then by the cell as it is written: that says nothing, but
    it is the same for every order of the writers.
    """
    relaxation, provenance = row.get("relaxation") or {}, row.get("provenance") or {}
    at_pressure = relaxation.get("pressure") and relaxation.get("enthalpy_per_atom") is not None
    energy = relaxation.get("enthalpy_per_atom" if at_pressure else "energy_per_atom")
    energy = NO_ENERGY if energy is None or not isfinite(energy) else float(energy)
    return [
        row["state"] != "ok",
        energy,
        row.get("symmetry") is None,
        provenance.get("stage") != Stage.STRUCTURE.value,
        provenance.get("task_key") or "~",
        row["structure"],
    ]


_STORED_ENERGY = {
    "$cond": [
        {
            "$and": [
                {"$ne": [{"$ifNull": ["$relaxation.pressure", 0.0]}, 0.0]},
                {"$ne": [{"$ifNull": ["$relaxation.enthalpy_per_atom", None]}, None]},
            ]
        },
        "$relaxation.enthalpy_per_atom",
        {"$ifNull": ["$relaxation.energy_per_atom", NO_ENERGY]},
    ]
}
_STORED_ORDER = [
    {"$ne": ["$state", "ok"]},
    {
        "$cond": [
            {"$in": [_STORED_ENERGY, [float("nan"), float("-inf")]]},
            NO_ENERGY,
            _STORED_ENERGY,
        ]
    },
    {"$eq": [{"$ifNull": ["$symmetry", None]}, None]},
    {"$ne": ["$provenance.stage", Stage.STRUCTURE.value]},
    {"$ifNull": ["$provenance.task_key", "~"]},
    "$structure",
]
"""`_order` of the stored document, for MongoDB."""
