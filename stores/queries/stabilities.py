"""Newest probabilities of stability, by composition."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stores.queries.criteria import any_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from stores.database import Database

FIELDS = ("formula", "probability.on_hull", "verdict", "verdict_by", "reference", "evidence")


def newest_stabilities(database: Database, formulas: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Read the newest probability of each composition.

    Parameters
    ----------
    database
        Database.
    formulas
        Reduced formulas.

    Returns
    -------
    Formula -> fields of its newest StabilityDoc; compositions that nobody has judged are left out.
    """
    query = any_of("formula", sorted(set(formulas)))
    rows = database.rows("stabilities", query, FIELDS, sort={"provenance.ended": 1})
    return {row["formula"]: row for row in rows}
