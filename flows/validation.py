"""The steps of the last stage, and the flow that validates chosen structures without a campaign.

`validate_best` or `validate_structures` -> VASP -> `after_validations` -> hulls ->
`after_dft_hulls` -> VASP (phonons) -> `finish`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from jobflow import Flow, OnMissing, Response, job
from monty.json import MSONable

from flows.calculations import calculated, on_fireworks
from flows.choice import choose, competing_phases, estimate
from flows.closing import finish, largest_systems
from makers.base import StageSummary
from makers.hull import DftHullMaker, HullMaker
from makers.tasks import get_structure
from makers.validation import ValidationMaker
from screening.errors import InputError
from screening.phonon import plan_phonons
from screening.schemas import CampaignDoc, HullDoc, Stage, StructureDoc
from stores import Database, open_database
from stores.builders import build_materials
from stores.membership import produced_by
from stores.queries.criteria import any_of

if TYPE_CHECKING:
    from jobflow import Job

    from makers.dft.flows import CalculationFlow

GAP = 0.1
"""Crystals with at least this gap have Born charges (eV)."""


@dataclass
class Ending(MSONable):
    """What is left to do after the last calculation.

    Attributes
    ----------
    campaign_id
        The campaign; None for structures that were chosen by hand.
    hull_ids
        Hulls of the potential.
    max_above_hull
        Crystals up to here become materials (eV/atom).
    """

    campaign_id: str | None
    hull_ids: list[str]
    max_above_hull: float


@job
def validate_best(
    maker: ValidationMaker,
    campaign_id: str,
    hull_ids: list[str],
    max_above_hull: float,
    phonons: list[list[str]],
) -> Response[Any]:
    """Choose candidates for DFT, within the budget, and compute them."""
    del phonons  # only makes this step wait
    database = open_database()
    build_materials(database, hull_ids, max_above_hull)  # to look at, while VASP runs
    relaxed = produced_by(database, campaign_id, Stage.RELAX)
    selection = choose(database, maker, hull_ids, relaxed)
    return _relaxations(
        maker,
        [contender.structure_id for contender in selection.chosen],
        list(selection.competing),
        Ending(campaign_id, hull_ids, max_above_hull),
    )


@job
def validate_structures(
    maker: ValidationMaker, structure_ids: list[str], competing: list[str], ending: Ending
) -> Response[Any]:
    """Compute structures that were chosen by hand."""
    return _relaxations(maker, structure_ids, competing, ending)


def _relaxations(
    maker: ValidationMaker, candidates: list[str], competing: list[str], ending: Ending
) -> Response[Any]:
    """Relax what is not in the database yet."""
    database = open_database()
    flows: dict[str, CalculationFlow] = {}
    hours: dict[str, float] = {}
    documents = {name: get_structure(database, name) for name in [*candidates, *competing]}
    compressed = sorted(name for name, one in documents.items() if _pressure(one))
    if compressed:
        raise InputError(
            f"{compressed[0]} was relaxed at {_pressure(documents[compressed[0]]):g} GPa: DFT "
            "relaxes at pressure 0; validate crystals of a campaign without pressure"
        )
    todo = [name for name in documents if not maker.is_done(database, {"structure_id": name})]
    maker.dft().require(element for name in todo for element in documents[name].elements)
    for name in todo:
        structure = documents[name].to_structure()
        label = f"{documents[name].formula} {name}"
        flows[name] = maker.dft().relaxation(structure, label)
        hours[name] = estimate(maker, structure, phonons=False).core_hours

    def then(reasons: dict[str, str]) -> list[Job]:
        kept = [
            _waiting(
                maker.make(
                    name,
                    flows[name].runs if name in flows else {},
                    hours.get(name),
                    ending.campaign_id,
                    counted=name in candidates,
                    **_wait(flows.get(name), reasons),
                )
            )
            for name in documents
        ]
        outputs = [one.output for one in kept]
        return [*kept, after_validations(maker, len(candidates), outputs, ending)]

    return calculated(list(flows.values()), then)


@job
def after_validations(
    maker: ValidationMaker, n_candidates: int, found: list[StageSummary], ending: Ending
) -> Response[Any]:
    """Build the hulls of DFT energies; each source has its own."""
    database = open_database()
    names = [name for summary in found for name in summary.ids]
    rows = list(
        database.rows(
            "structures",
            {**any_of("structure_id", names), "state": "ok"},
            ["structure_id", "chemsys", "relaxation.engine"],
        )
    )
    sources = sorted({row["relaxation"]["engine"] for row in rows})
    hulls = [
        DftHullMaker(engine=source, max_above_hull=ending.max_above_hull).make(
            system, ending.campaign_id
        )
        for source in sources
        for system in largest_systems(
            row["chemsys"] for row in rows if row["relaxation"]["engine"] == source
        )
    ]
    usable = {row["structure_id"] for row in rows}
    mine = [n for summary in found[:n_candidates] for n in summary.ids if n in usable]
    rest = after_dft_hulls(maker, mine, [hull.output for hull in hulls], ending)
    return Response(detour=Flow([*hulls, rest], name="dft hulls"))


@job
def after_dft_hulls(
    maker: ValidationMaker, structure_ids: list[str], hulls: list[StageSummary], ending: Ending
) -> Response[Any]:
    """Compute phonons of what DFT finds stable, or nearly so."""
    database = open_database()
    ids = [name for hull in hulls for name in hull.ids]
    phonons = maker.phonon_maker()
    flows: dict[str, CalculationFlow] = {}
    impossible: dict[str, str] = {}
    hours: dict[str, float] = {}
    wanted = _stable(database, maker, structure_ids, ids) if maker.phonons else []
    documents = {name: get_structure(database, name) for name in wanted}
    todo = [name for name in wanted if not phonons.is_done(database, {"structure_id": name})]
    maker.dft().require(element for name in todo for element in documents[name].elements)
    for name in todo:
        plan = plan_phonons(documents[name].to_structure(), phonons.options())
        if isinstance(plan, str):
            impossible[name] = plan
            continue
        label = f"{documents[name].formula} {name}"
        born = maker.born and _gap(documents[name]) > GAP
        flows[name] = maker.dft().phonons(plan, label, born=born)
        hours[name] = estimate(maker, documents[name].to_structure()).phonons

    def then(reasons: dict[str, str]) -> list[Job]:
        kept = [
            _waiting(
                phonons.make(
                    name,
                    flows[name].result if name in flows else "",
                    flows[name].runs if name in flows else {},
                    hours.get(name),
                    ending.campaign_id,
                    **(
                        {"reason": impossible[name]}
                        if name in impossible
                        else _wait(flows.get(name), reasons)
                    ),
                )
            )
            for name in wanted
        ]
        outputs = [one.output.ids for one in kept]
        hull_ids = [*ending.hull_ids, *ids]
        return [*kept, finish(ending.campaign_id, hull_ids, ending.max_above_hull, outputs)]

    return calculated(list(flows.values()), then)


def _stable(
    database: Database, maker: ValidationMaker, structure_ids: list[str], hull_ids: list[str]
) -> list[str]:
    """Keep what is near the hull, once of each crystal; what has no hull is kept, too."""
    above: dict[str, float | None] = dict.fromkeys(structure_ids)
    best: dict[str, str] = {}
    for hull in database.find(HullDoc, any_of("hull_id", hull_ids)):
        for entry in hull.entries:
            for member in entry.members:
                if member in above:
                    above[member], best[member] = entry.energy_above_hull, entry.entry_id
    near = [
        best.get(name, name)
        for name, distance in above.items()
        if distance is None or distance <= maker.phonon_max_above_hull
    ]
    return list(dict.fromkeys(near))


def _pressure(document: StructureDoc) -> float:
    return document.relaxation.pressure if document.relaxation else 0.0


def _gap(document: StructureDoc) -> float:
    return (document.dft.band_gap or 0.0) if document.dft else 0.0


def _wait(flow: CalculationFlow | None, reasons: dict[str, str]) -> dict[str, Any]:
    """Let a job wait for a flow on FireWorks; here the flow has run already."""
    if flow is None:
        return {}
    if on_fireworks():
        return {"ready": flow.ready}
    return {"reason": reasons.get(flow.result)}


def _waiting(one: Job) -> Job:
    """Let a job run even if what it waits for has failed."""
    one.config.on_missing_references = OnMissing.NONE
    return one


def validation_flow(
    maker: ValidationMaker, structure_ids: list[str], competing: list[str], ending: Ending
) -> Flow:
    """Compose the flow that computes chosen structures and their competing phases."""
    return Flow([validate_structures(maker, structure_ids, competing, ending)], name="validation")


def ending_of(database: Database, campaign: CampaignDoc | None) -> Ending:
    """Say what is left to do after the validation of a campaign's, or of other, structures."""
    if campaign is None:
        return Ending(None, [], HullMaker().max_above_hull)
    query = {"campaign_ids": campaign.campaign_id, "stage": "hull", "state": "finished"}
    rows = database.rows("tasks", query, ["summary"])
    ids = {name for row in rows for name in row["summary"]["ids"]}
    hull_ids = sorted(name for name in ids if name.startswith("hull-"))
    return Ending(campaign.campaign_id, hull_ids, campaign.config["hull"]["max_above_hull"])


def competing_of(database: Database, structure_ids: list[str]) -> list[str]:
    """List what structures compete with, on the latest hull of each that has them."""
    found: dict[str, None] = {}
    for name in structure_ids:
        query = {"entries.members": name}
        hull = next(database.find(HullDoc, query, sort={"created": -1}, limit=1), None)
        if hull is not None:
            entry = next(entry for entry in hull.entries if name in entry.members)
            found |= dict.fromkeys(competing_phases(hull, entry))
    return [name for name in found if name not in structure_ids]
