"""The routes of the JSON API."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal, ParamSpec, TypeVar

from fastapi import APIRouter, Depends, HTTPException, Path, Query, Request

from dashboard.api import answers, flow
from dashboard.api.models import (
    CampaignDetail,
    CampaignFlow,
    CampaignRow,
    CandidatePage,
    ContactMaps,
    CrystalPage,
    Diffraction,
    Health,
    MaterialDetail,
    PhononBands,
    RelaxationPath,
    SystemDetail,
    SystemRow,
)
from screening.checkpoints import Card, bundled_names, read_card
from screening.errors import InputError
from screening.schemas import HullDoc, MaterialDoc, TaskRecord
from stores import Database
from stores.queries import material_detail
from stores.queries.lineage import lineage
from stores.queries.listings import CandidateQuery, DiscoveryQuery

router = APIRouter(prefix="/api/v1")
P = ParamSpec("P")
A = TypeVar("A")
Identifier = Annotated[str, Path(max_length=120, description="Identifier")]


def get_database(request: Request) -> Database:
    """Give the database of the application."""
    database: Database = request.app.state.database
    return database


Data = Annotated[Database, Depends(get_database)]


def _material(database: Data, material_id: Identifier) -> MaterialDoc:
    try:
        return material_detail.get_material(database, material_id)
    except InputError as error:
        raise HTTPException(404, str(error)) from None


Material = Annotated[MaterialDoc, Depends(_material)]


@router.get("/campaigns", tags=["campaigns"])
def list_campaigns(database: Data) -> list[CampaignRow]:
    """List all campaigns, the last one first."""
    return answers.list_campaigns(database)


@router.get("/campaigns/{campaign_id}", tags=["campaigns"])
def get_campaign(database: Data, campaign_id: Identifier) -> CampaignDetail:
    """Tell about one campaign: configuration, funnel, rates, failures."""
    try:
        return answers.get_campaign(database, campaign_id)
    except InputError as error:
        raise HTTPException(404, str(error)) from None


@router.get("/campaigns/{campaign_id}/flow", tags=["campaigns"])
def get_campaign_flow(database: Data, campaign_id: Identifier) -> CampaignFlow:
    """Tell what passed from stage to stage, and what became of each method's structures."""
    return _found(flow.get_flow, database, campaign_id)


@router.get("/candidates", tags=["campaigns"])
def list_candidates(database: Data, query: Annotated[CandidateQuery, Query()]) -> CandidatePage:
    """List compositions that campaigns chose, the best first."""
    return answers.list_candidates(database, query)


@router.get("/materials", tags=["discoveries"])
def list_materials(database: Data, query: Annotated[DiscoveryQuery, Query()]) -> CrystalPage:
    """List crystals that match, one page of them."""
    return answers.list_materials(database, query)


@router.get("/materials/{material_id}", tags=["discoveries"])
def get_material(database: Data, material: Material) -> MaterialDetail:
    """Tell about one crystal: energies by source, predictions, competing phases, polymorphs."""
    return answers.get_material(database, material)


@router.get("/materials/{material_id}/structure", tags=["discoveries"])
def get_structure(
    material: Material, cell: Literal["own", "conventional"] = "conventional"
) -> dict[str, Any]:
    """Give the crystal as pymatgen's dictionary."""
    structure: dict[str, Any] = answers.cell(material, cell).as_dict()
    return structure


@router.get("/materials/{material_id}/hull", tags=["discoveries"])
def get_material_hull(database: Data, material: Material) -> HullDoc:
    """Give the hull that its stability refers to, with all entries."""
    return _hull(database, material.hull_id)


@router.get("/materials/{material_id}/phonons", tags=["discoveries"])
def get_phonons(database: Data, material: Material) -> PhononBands:
    """Give phonon bands and density of states."""
    return _found(answers.get_phonons, database, material)


@router.get("/materials/{material_id}/relaxation", tags=["discoveries"])
def get_relaxation(database: Data, material: Material) -> RelaxationPath:
    """Give energy, force and volume at each step of the relaxation."""
    return _found(answers.get_relaxation, database, material)


@router.get("/materials/{material_id}/contacts", tags=["discoveries"])
def get_contacts(database: Data, material: Material) -> ContactMaps:
    """Give the distances between the atoms, as proposed and as relaxed."""
    return _found(answers.get_contacts, database, material)


@router.get("/materials/{material_id}/xrd", tags=["discoveries"])
def get_diffraction(material: Material) -> Diffraction:
    """Simulate a powder pattern."""
    return _found(answers.get_diffraction, material)


@router.get("/materials/{material_id}/lineage", tags=["discoveries"])
def get_lineage(database: Data, material: Material) -> dict[str, Any]:
    """Walk from the crystal back to the sample that started it."""
    return lineage(database, material.material_id).as_dict()


@router.get("/documents/{identifier}", tags=["documents"])
def get_document(database: Data, identifier: Identifier) -> dict[str, Any]:
    """Give any document by its identifier, as the database has it; large arrays are left out."""
    return _found(answers.get_document, database, identifier)


@router.get("/tasks/{task_key}", tags=["documents"], response_model_exclude={"owner"})
def get_task(database: Data, task_key: Identifier) -> TaskRecord:
    """Tell how a task went: attempts, times, parameters and versions of packages."""
    return _found(answers.get_task, database, task_key)


@router.get("/systems", tags=["chemical systems"])
def list_systems(database: Data) -> list[SystemRow]:
    """List chemical systems that have a hull."""
    return answers.list_systems(database)


@router.get("/systems/{chemsys}", tags=["chemical systems"])
def get_system(database: Data, chemsys: Identifier) -> SystemDetail:
    """Tell about one chemical system: hulls, crystals, candidates."""
    return answers.get_system(database, chemsys)


@router.get("/hulls/{hull_id}", tags=["chemical systems"])
def get_hull(database: Data, hull_id: Identifier) -> HullDoc:
    """Give one hull with all entries."""
    return _hull(database, hull_id)


@router.get("/models", tags=["models"])
def list_models() -> list[Card]:
    """List the cards of the models that come with the package."""
    return [read_card(name) for name in bundled_names()]


@router.get("/health", tags=["health"])
def get_health(database: Data) -> Health:
    """Check the installation; count tasks by state, and documents."""
    return answers.get_health(database)


def _hull(database: Database, hull_id: str) -> HullDoc:
    hull = material_detail.get_hull(database, hull_id)
    if hull is None:
        raise HTTPException(404, f"there is no hull {hull_id!r}")
    return hull


def _found(answer: Callable[P, A], *arguments: P.args, **options: P.kwargs) -> A:
    """Answer 404 where a part of a crystal does not exist."""
    try:
        return answer(*arguments, **options)
    except InputError as error:
        raise HTTPException(404, str(error)) from None
