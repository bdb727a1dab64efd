"""The steps of a campaign that are decided at run time; each one adds the jobs that follow it.

They hold no science and no payload: they look identifiers up and hand them to Makers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jobflow import Flow, Response, job

from flows.closing import finish, finish_campaign, largest_systems
from flows.sections import HullSection, PhononSection, RelaxSection, StructureSection
from makers.base import StageSummary
from screening.crystal.elemental_structures import elements_without_reference
from screening.errors import InputError
from screening.progress import plan
from screening.schemas import Stage
from stores import Database, open_database
from stores.queries.candidates import candidate_systems
from stores.queries.criteria import any_of
from stores.queries.record import placed_crystals

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def chunks(items: Sequence[Any], size: int) -> list[Sequence[Any]]:
    """Cut a sequence into parts of at most `size`.

    >>> chunks("abcde", 2)
    ['ab', 'cd', 'e']
    """
    return [items[start : start + size] for start in range(0, len(items), size)]


def hull_systems(database: Database, systems: Iterable[str]) -> list[str]:
    """Choose the chemical systems whose hulls are drawn.

    Systems with an element that has no reference structure, neither ours nor imported, get no hull.
    They stand apart, so that they cost no other system its own.
    """
    systems = set(systems)
    lacking = elements_without_reference(
        sorted({symbol for system in systems for symbol in system.split("-")})
    )
    query = {"roles": "imported", "stage": "generated", **any_of("chemsys", lacking)}
    imported = {row["chemsys"] for row in database.rows("structures", query, ["chemsys"])}
    without = set(lacking) - imported
    complete = {system for system in systems if not without & set(system.split("-"))}
    return sorted({*largest_systems(complete), *largest_systems(systems - complete)})


def _ids(summaries: Iterable[StageSummary]) -> list[str]:
    """Collect the documents of several jobs, each once, in order."""
    return list(dict.fromkeys(name for summary in summaries for name in summary.ids))


@job
def after_candidates(
    section: StructureSection | None, campaign_id: str, candidates: StageSummary
) -> Response[Any]:
    """Predict symmetries, generate structures, collect competing phases."""
    if not candidates.ids:
        finish_campaign(campaign_id, [], 0.0)
        raise InputError("no composition survived: widen the chemical space or the filters")
    if section is None:
        return Response(output=finish_campaign(campaign_id, [], 0.0))
    systems = hull_systems(open_database(), candidate_systems(open_database(), candidates.ids))
    symmetry = section.symmetry.make(candidates.ids, campaign_id)
    pools = [
        section.structure.make(list(chunk), symmetry.output, campaign_id, pressure=section.pressure)
        for chunk in chunks(candidates.ids, section.structure.compositions_per_task)
    ]
    plan(Stage.SYMMETRY, len(candidates.ids))
    plan(Stage.STRUCTURE, len(candidates.ids))
    references = (
        [section.references.make(system, campaign_id) for system in systems]
        if section.references
        else []
    )
    following = after_structures(
        section.then,
        campaign_id,
        systems,
        [pool.output for pool in pools],
        [reference.output for reference in references],
    )
    return Response(detour=Flow([symmetry, *pools, *references, following], name="structures"))


@job
def after_structures(
    section: RelaxSection | None,
    campaign_id: str,
    systems: list[str],
    pools: list[StageSummary],
    references: list[StageSummary],
) -> Response[Any]:
    """Relax candidates and competing phases alike."""
    if section is None:
        return Response(output=finish_campaign(campaign_id, [], 0.0))
    size = section.relax.structures_per_task
    candidates = _ids(pools)
    competing = [name for name in _ids(references) if name not in set(candidates)]
    plan(Stage.RELAX, len(candidates) + len(competing))
    relaxations = [
        section.relax.make(list(chunk), campaign_id) for chunk in chunks(candidates, size)
    ] + [
        section.relax.make(list(chunk), campaign_id, counted=False)
        for chunk in chunks(competing, size)
    ]
    numbers = [relaxation.output.n_out for relaxation in relaxations]
    following = after_relax(section.then, campaign_id, systems, numbers)
    return Response(detour=Flow([*relaxations, following], name="relaxations"))


@job
def after_relax(
    section: HullSection | None, campaign_id: str, systems: list[str], n_relaxed: list[int]
) -> Response[Any]:
    """Build the hulls."""
    del n_relaxed  # only makes this step wait
    if section is None:
        return Response(output=finish_campaign(campaign_id, [], 0.0))
    hulls = [
        section.hull.make(system, campaign_id, pressure=section.pressure) for system in systems
    ]
    judged = []
    if section.stability is not None:
        judged.append(section.stability.make(campaign_id, section.hull.source()))
    following = after_hulls(
        section.then,
        campaign_id,
        section.hull.max_above_hull,
        [hull.output for hull in hulls],
        [job.output.n_out for job in judged],
    )
    return Response(detour=Flow([*hulls, *judged, following], name="hulls"))


@job
def after_hulls(
    section: PhononSection | None,
    campaign_id: str,
    max_above_hull: float,
    hulls: list[StageSummary],
    n_judged: list[int] | None = None,
) -> Response[Any]:
    """Compute phonons of the best crystals."""
    del n_judged  # only makes this step wait
    hull_ids = _ids(hulls)
    if section is None:
        return Response(output=finish_campaign(campaign_id, hull_ids, max_above_hull))
    best = crystals_for_phonons(
        hull_ids, campaign_id, section.phonon.top, section.phonon.max_above_hull
    )
    plan(Stage.PHONON, len(best))
    phonons = [section.phonon.make(name, campaign_id) for name in best]
    finished = [phonon.output.ids for phonon in phonons]
    if section.validation:
        from flows.validation import validate_best  # atomate2 takes seconds to import

        following = validate_best(
            section.validation, campaign_id, hull_ids, max_above_hull, finished
        )
    else:
        following = finish(campaign_id, hull_ids, max_above_hull, finished)
    return Response(detour=Flow([*phonons, following], name="phonons"))


def crystals_for_phonons(
    hull_ids: list[str], campaign_id: str, top: int, max_above_hull: float
) -> list[str]:
    """Choose crystals of this campaign, the lowest above their hull first."""
    placed = [
        crystal
        for crystal in placed_crystals(open_database(), campaign_id)
        if crystal.hull_id in hull_ids and crystal.energy_above_hull <= max_above_hull
    ]
    placed.sort(key=lambda crystal: (crystal.energy_above_hull, crystal.entry_id))
    return list(dict.fromkeys(crystal.entry_id for crystal in placed))[:top]
