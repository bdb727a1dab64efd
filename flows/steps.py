"""The steps of a campaign that are decided at run time; each one adds the jobs that follow it.

They hold no science and no payload: they look identifiers up and hand them to Makers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jobflow import Flow, Response, job

from makers.base import StageSummary
from screening.errors import InputError
from screening.progress import plan
from screening.schemas import CampaignDoc, CampaignState, Stage, utc_now
from stores import open_database
from stores.builders import build_materials
from stores.queries.documents import campaign_funnel

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from flows.campaign import CampaignMaker


def chunks(items: Sequence[Any], size: int) -> list[Sequence[Any]]:
    """Cut a sequence into parts of at most `size`."""
    return [items[start : start + size] for start in range(0, len(items), size)]


def largest_systems(systems: Iterable[str]) -> list[str]:
    """Keep the chemical systems that are not inside another one, sorted."""
    sets = {frozenset(system.split("-")) for system in systems}
    largest = [one for one in sets if not any(one < other for other in sets)]
    return sorted("-".join(sorted(system)) for system in largest)


def _ids(summaries: Iterable[StageSummary]) -> list[str]:
    """Collect the documents of several jobs, each once, in order."""
    return list(dict.fromkeys(name for summary in summaries for name in summary.ids))


@job
def after_candidates(
    campaign: CampaignMaker, campaign_id: str, chosen: StageSummary
) -> Response[Any]:
    """Predict symmetries, generate structures, collect competing phases."""
    if not chosen.ids:
        finish_campaign(campaign_id, [], 0.0)
        raise InputError("no composition survived: widen the chemical space or the filters")
    if campaign.until == "candidates":
        return Response(output=finish_campaign(campaign_id, [], 0.0))
    rows = open_database().rows("candidates", {"candidate_id": {"$in": chosen.ids}}, ["chemsys"])
    systems = largest_systems(row["chemsys"] for row in rows)
    symmetry = campaign.symmetry.make(chosen.ids, campaign_id)
    pools = [
        campaign.structure.make(
            list(part), symmetry.output, campaign_id, pressure=campaign.relax.pressure
        )
        for part in chunks(chosen.ids, campaign.structure.compositions_per_task)
    ]
    plan(Stage.SYMMETRY, len(chosen.ids))
    plan(Stage.STRUCTURE, len(chosen.ids))
    wanted = systems if campaign.until in {"hull", "phonon", "validation"} else []
    references = [campaign.references.make(system, campaign_id) for system in wanted]
    rest = after_structures(
        campaign,
        campaign_id,
        systems,
        [pool.output for pool in pools],
        [reference.output for reference in references],
    )
    return Response(detour=Flow([symmetry, *pools, *references, rest], name="structures"))


@job
def after_structures(
    campaign: CampaignMaker,
    campaign_id: str,
    systems: list[str],
    pools: list[StageSummary],
    references: list[StageSummary],
) -> Response[Any]:
    """Relax candidates and competing phases alike."""
    if campaign.until == "structure":
        return Response(output=finish_campaign(campaign_id, [], 0.0))
    size = campaign.relax.structures_per_task
    candidates = _ids(pools)
    competing = [name for name in _ids(references) if name not in set(candidates)]
    plan(Stage.RELAX, len(candidates) + len(competing))
    relaxations = [
        campaign.relax.make(list(part), campaign_id) for part in chunks(candidates, size)
    ] + [
        campaign.relax.make(list(part), campaign_id, counted=False)
        for part in chunks(competing, size)
    ]
    rest = after_relax(campaign, campaign_id, systems, [one.output.n_out for one in relaxations])
    return Response(detour=Flow([*relaxations, rest], name="relaxations"))


@job
def after_relax(
    campaign: CampaignMaker, campaign_id: str, systems: list[str], n_relaxed: list[int]
) -> Response[Any]:
    """Build the hulls."""
    del n_relaxed  # only makes this step wait
    if campaign.until == "relax":
        return Response(output=finish_campaign(campaign_id, [], 0.0))
    pressure = campaign.relax.pressure
    hulls = [campaign.hull.make(system, campaign_id, pressure=pressure) for system in systems]
    rest = after_hulls(campaign, campaign_id, [hull.output for hull in hulls])
    return Response(detour=Flow([*hulls, rest], name="hulls"))


@job
def after_hulls(
    campaign: CampaignMaker, campaign_id: str, hulls: list[StageSummary]
) -> Response[Any]:
    """Compute phonons of the best crystals."""
    hull_ids = _ids(hulls)
    top = campaign.phonon.top if campaign.until in {"phonon", "validation"} else 0
    best = crystals_for_phonons(hull_ids, campaign_id, top, campaign.phonon.max_above_hull)
    plan(Stage.PHONON, len(best))
    phonons = [campaign.phonon.make(name, campaign_id) for name in best]
    done = [one.output.ids for one in phonons]
    if campaign.until == "validation":
        from flows.validation import validate_best  # atomate2 takes seconds to import

        rest = validate_best(campaign, campaign_id, hull_ids, done)
    else:
        rest = finish(campaign_id, hull_ids, campaign.hull.max_above_hull, done)
    return Response(detour=Flow([*phonons, rest], name="phonons"))


@job
def finish(
    campaign_id: str | None, hull_ids: list[str], max_above_hull: float, phonons: list[list[str]]
) -> dict[str, Any]:
    """Build `materials` and close the campaign."""
    del phonons  # only makes this step wait
    return finish_campaign(campaign_id, hull_ids, max_above_hull)


def crystals_for_phonons(
    hull_ids: list[str], campaign_id: str, top: int, max_above_hull: float
) -> list[str]:
    """Choose candidates of this campaign, the lowest above their hull first."""
    database = open_database()
    mine = {
        row["formula"]
        for row in database.rows("candidates", {"campaign_id": campaign_id}, ["formula"])
    }
    fields = ["entries.entry_id", "entries.formula", "entries.role", "entries.energy_above_hull"]
    found = {
        entry["entry_id"]: (entry["energy_above_hull"], entry["entry_id"])
        for hull in database.rows("hulls", {"hull_id": {"$in": hull_ids}}, fields)
        for entry in hull["entries"]
        if entry["role"] == "candidate"
        and entry["formula"] in mine
        and entry["energy_above_hull"] <= max_above_hull
    }
    return sorted(found, key=lambda name: found[name])[:top]


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
    funnel = campaign_funnel(database, campaign_id)
    changes = {
        "state": CampaignState.FINISHED.value,
        "updated": utc_now(),
        "funnel": {name: stage.model_dump() for name, stage in funnel.items()},
        "error": None,
    }
    database.patch(CampaignDoc, {campaign_id: changes})
    _mark_stages(campaign_id)


def _mark_stages(campaign_id: str) -> None:
    """Write on each candidate how far it has come."""
    database = open_database()
    query = {"campaign_ids": campaign_id}
    with database.guard():
        for stage, formulas in (
            (Stage.STRUCTURE, _structured(campaign_id)),
            (Stage.HULL, database.raw("materials").distinct("formula_pretty", query)),
            (
                Stage.PHONON,
                database.raw("materials").distinct(
                    "formula_pretty", {**query, "dynamic_stability": {"$ne": None}}
                ),
            ),
            (
                Stage.VALIDATION,
                database.raw("materials").distinct(
                    "formula_pretty", {**query, "task_ids.0": {"$exists": True}}
                ),
            ),
        ):
            database.raw("candidates").update_many(
                {"campaign_id": campaign_id, "formula": {"$in": formulas}},
                {"$set": {"stage": stage.value}},
            )


def _structured(campaign_id: str) -> list[str]:
    database = open_database()
    formulas = database.raw("candidates").distinct("formula", {"campaign_id": campaign_id})
    found: list[str] = database.raw("structures").distinct(
        "formula", {"formula": {"$in": formulas}, "stage": "generated"}
    )
    return found
