"""Probabilities of stability that a campaign has found, by composition."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from screening.schemas import Stage
from stores.membership import produced_by
from stores.queries.criteria import any_of

if TYPE_CHECKING:
    from stores.database import Database

FIELDS = ("formula", "probability.on_hull", "verdict", "verdict_by", "reference")


def campaign_stabilities(database: Database, campaign_id: str) -> dict[str, dict[str, Any]]:
    """Read the probabilities that a campaign's own tasks have given, the newest of each formula.

    Returns
    -------
    Formula -> fields of its StabilityDoc.
    """
    query = any_of(
        "stability_id", produced_by(database, campaign_id, Stage.STABILITY, counted=False)
    )
    rows = database.rows("stabilities", query, FIELDS, sort={"provenance.ended": 1})
    return {row["formula"]: row for row in rows}
