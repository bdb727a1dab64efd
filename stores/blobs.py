"""Consistency of the large fields in GridFS."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stores.collections import COLLECTIONS
from stores.encoding import blob_references

if TYPE_CHECKING:
    from stores.database import Database


def _used(database: Database) -> dict[str, str]:
    """Map each blob that a document refers to, to that document."""
    used: dict[str, str] = {}
    for name, collection in COLLECTIONS.items():
        for row in database.rows(name):
            for digest in blob_references(row):
                used[digest] = f"{name} {row[collection.key]}"
    return used


def _stored(database: Database) -> set[str]:
    with database.guard():
        return {str(file["_id"]) for file in database.raw("blobs.files").find({}, {"_id": 1})}


def missing_blobs(database: Database) -> list[str]:
    """List documents whose large fields are not stored."""
    stored = _stored(database)
    return sorted(name for digest, name in _used(database).items() if digest not in stored)


def orphan_blobs(database: Database) -> list[str]:
    """List blobs that no document refers to any more."""
    return sorted(_stored(database) - _used(database).keys())
