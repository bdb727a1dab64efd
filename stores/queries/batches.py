"""Batches of generated compositions, which one job writes and the next ones read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from screening.errors import DatabaseError
from screening.schemas import BatchDoc

if TYPE_CHECKING:
    from stores.database import Database


def read_batch(database: Database, batch_id: str) -> BatchDoc:
    """Read a batch that another job wrote."""
    batch = database.get(BatchDoc, batch_id)
    if batch is None:
        raise DatabaseError(f"batch {batch_id} is not in the database: run the campaign again")
    return batch
