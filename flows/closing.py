"""The end of a campaign: `materials` are built, its funnel and state are written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jobflow import job

from screening.schemas import CampaignDoc, CampaignState, utc_now
from stores import open_database
from stores.builders import build_materials
from stores.queries.candidates import mark_stages
from stores.queries.documents import count_funnel

if TYPE_CHECKING:
    from collections.abc import Iterable


def largest_systems(systems: Iterable[str]) -> list[str]:
    """Keep the chemical systems that are not inside another one, sorted.

    >>> largest_systems(["Li-S", "Li-Mn-S", "Mn", "O"])
    ['Li-Mn-S', 'O']
    """
    sets = {frozenset(system.split("-")) for system in systems}
    largest = [system for system in sets if not any(system < other for other in sets)]
    return sorted("-".join(sorted(system)) for system in largest)


@job
def finish(
    campaign_id: str | None, hull_ids: list[str], max_above_hull: float, phonons: list[list[str]]
) -> dict[str, Any]:
    """Build `materials` and close the campaign."""
    del phonons  # only makes this step wait
    return finish_campaign(campaign_id, hull_ids, max_above_hull)


def finish_campaign(
    campaign_id: str | None, hull_ids: list[str], max_above_hull: float
) -> dict[str, Any]:
    """Build `materials`, and write the funnel and the state of the campaign, if there is one."""
    build_materials(open_database(), hull_ids, max_above_hull)
    if campaign_id is not None:
        _close(campaign_id)
    return {"campaign_id": campaign_id, "hull_ids": hull_ids}


def _close(campaign_id: str) -> None:
    database = open_database()
    funnel = count_funnel(database, campaign_id)
    changes = {
        "state": CampaignState.FINISHED.value,
        "updated": utc_now(),
        "funnel": {name: stage.model_dump() for name, stage in funnel.items()},
        "error": None,
    }
    database.patch(CampaignDoc, {campaign_id: changes})
    mark_stages(database, campaign_id)
