"""Long lists of formulas: stored once, named by a hash."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from screening.errors import DatabaseError
from screening.identity import make_id
from screening.schemas import FormulaListDoc

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stores.database import Database

PREFIX = "flist"
CHUNK = 50_000
"""Formulas in one document: about 1 MB."""


def save_formulas(database: Database, formulas: Sequence[str]) -> str:
    """Store a list of formulas; the same list is stored once.

    Parameters
    ----------
    database
        Database.
    formulas
        Formulas in their order.

    Returns
    -------
    Identifier of the list.
    """
    list_id = make_id(PREFIX, list(formulas))
    database.upsert(
        FormulaListDoc(
            chunk_id=make_id("chunk", list_id, start),
            list_id=list_id,
            position=start // CHUNK,
            n_formulas=len(formulas),
            formulas=list(formulas[start : start + CHUNK]),
        )
        for start in range(0, len(formulas), CHUNK)
    )
    return list_id


def load_formulas(database: Database, list_id: str) -> tuple[str, ...]:
    """Read a list of formulas; the last one that was read stays in memory.

    Raises
    ------
    DatabaseError
        If the list is missing or incomplete.
    """
    return _load(database, list_id)


@lru_cache(maxsize=1)
def _load(database: Database, list_id: str) -> tuple[str, ...]:
    parts = database.rows(
        "formula_lists", {"list_id": list_id}, ["formulas", "n_formulas"], sort={"position": 1}
    )
    formulas: list[str] = []
    expected = -1
    for part in parts:
        formulas += part["formulas"]
        expected = part["n_formulas"]
    if len(formulas) != expected:
        raise DatabaseError(
            f"the list of formulas {list_id} is not complete in this database "
            f"({len(formulas)} of {max(expected, 0)}): run the campaign's file again"
        )
    return tuple(formulas)
