"""The pages."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, HTTPException, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from starlette.responses import Response

from dashboard.api import answers
from dashboard.api.flow import get_flow
from dashboard.api.routes import Data, Identifier, Material
from dashboard.figures import caption, model_figures
from dashboard.pages.columns import COLUMNS, DEFAULT_COLUMNS, PageQuery
from dashboard.pages.periodic import PERIODIC
from dashboard.pages.published import comparisons
from dashboard.pages.reference import endpoints
from dashboard.pages.templating import address, render
from screening.checkpoints import bundled_names, read_card
from screening.engines.potentials import survey
from screening.errors import CheckpointError, InputError
from screening.hull.wording import known_statement
from screening.training.registry import TRAINERS
from stores.queries import material_detail
from stores.queries.campaigns import campaign_names
from stores.queries.lineage import lineage
from stores.queries.listings import CandidateQuery, energy_sources

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from dashboard.api.models import CrystalPage
    from screening.checkpoints import Card

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)


@router.get("/")
def campaigns(request: Request, database: Data) -> HTMLResponse:
    """Show all campaigns."""
    return render(request, "campaigns.html.j2", campaigns=answers.list_campaigns(database))


@router.get("/campaigns/{campaign_id}")
def campaign(request: Request, database: Data, campaign_id: Identifier) -> HTMLResponse:
    """Show one campaign."""
    found = _campaign(database, campaign_id)
    flow = get_flow(database, found["campaign"].campaign_id)
    return render(request, "campaign.html.j2", flow=flow, **found)


@router.get("/campaigns/{campaign_id}/progress")
def campaign_progress(request: Request, database: Data, campaign_id: Identifier) -> HTMLResponse:
    """Show the part of a campaign's page that changes while it runs."""
    return render(request, "progress.html.j2", **_campaign(database, campaign_id))


def _campaign(database: Data, campaign_id: str) -> dict[str, Any]:
    try:
        found = answers.get_campaign(database, campaign_id)
    except InputError as error:
        raise HTTPException(404, str(error)) from None
    query = CandidateQuery(campaign=found.campaign_id, limit=20)
    candidates = answers.list_candidates(database, query)
    by_hull = answers.ranked_by_hull(candidates)
    return {"campaign": found, "candidates": candidates, "by_hull": by_hull}


@router.get("/discoveries")
def discoveries(request: Request, database: Data, query: Annotated[PageQuery, Query()]) -> Response:
    """Show crystals that match a filter."""
    if "" in request.query_params.values() and query.after is None:  # a form without scripts
        return RedirectResponse(address("/discoveries", query.asked()), status_code=303)
    page = answers.list_materials(database, query.discoveries())
    shown = query.columns or DEFAULT_COLUMNS
    return render(
        request,
        "discoveries.html.j2",
        page=page,
        query=query,
        asked=query.asked(),
        columns={name: COLUMNS[name] for name in COLUMNS if name in shown},
        all_columns=COLUMNS,
        periodic=PERIODIC,
        campaign_names=campaign_names(database),
        sources=[(name, name) for name in energy_sources(database)],
        known_notes=_known_notes(page),
    )


def _known_notes(page: CrystalPage) -> list[str]:
    """Say what the crystals of a page that are not known were compared with."""
    return sorted(
        {known_statement(row.known, row.known_source) for row in page.rows if not row.known}
    )


@router.get("/materials/{material_id}")
def material(request: Request, database: Data, material: Material) -> HTMLResponse:
    """Show one crystal."""
    detail = answers.get_material(database, material)
    phonon = material_detail.get_phonon(database, material.phonon_of or material.structure_id)
    conventional = answers.cell(material, "conventional")
    return render(
        request,
        "material.html.j2",
        detail=detail,
        material=material,
        phonon=phonon,
        cell=conventional,
        own=answers.cell(material, "own"),
        hull=detail.hull,
        history=lineage(database, material.material_id),
        steps=answers.or_none(answers.get_relaxation, database, material),
        contacts=answers.or_none(answers.get_contacts, database, material),
        campaign_names=campaign_names(database),
        models=bundled_names(),
    )


@router.get("/systems")
def systems(request: Request, database: Data) -> HTMLResponse:
    """Show all chemical systems."""
    return render(request, "systems.html.j2", systems=answers.list_systems(database))


@router.get("/systems/{chemsys}")
def system(request: Request, database: Data, chemsys: Identifier) -> HTMLResponse:
    """Show one chemical system."""
    detail = answers.get_system(database, chemsys)
    names = campaign_names(database)
    return render(request, "system.html.j2", system=detail, campaign_names=names)


@router.get("/models")
def models(request: Request) -> HTMLResponse:
    """Show the models that come with the package."""
    cards = [read_card(name) for name in bundled_names()]
    return render(request, "models.html.j2", cards=cards, potentials=survey())


@router.get("/models/{name}")
def model(request: Request, name: Identifier) -> HTMLResponse:
    """Show one model."""
    card = _card(name)
    return render(
        request,
        "model.html.j2",
        card=card,
        figures={figure: caption(figure) for figure in _figures(card.name, card.sha256)},
        published=comparisons(card),
        trainable=card.name in TRAINERS,
    )


@router.get("/models/{name}/figures/{figure}.svg")
def model_figure(name: Identifier, figure: Identifier) -> Response:
    """Draw one figure of a model."""
    card = _card(name)
    picture = _picture(card.name, card.sha256, figure)
    if picture is None:
        raise HTTPException(404, f"the model {name!r} has no figure {figure!r}")
    return Response(picture, media_type="image/svg+xml")


@lru_cache(maxsize=64)
def _picture(name: str, sha256: str, figure: str) -> bytes | None:
    from dashboard.figures.pictures import svg  # matplotlib: half a second that few pages need

    figures = _figures(name, sha256)
    return svg(figures[figure]) if figure in figures else None


@lru_cache(maxsize=16)
def _figures(name: str, sha256: str) -> dict[str, go.Figure]:  # noqa: ARG001 - part of the key
    card = read_card(name)
    return model_figures(card.plots, card.history)


def _card(name: str) -> Card:
    if name not in bundled_names():
        raise HTTPException(404, f"there is no model {name!r}: there are {bundled_names()}")
    try:
        return read_card(name)
    except CheckpointError as error:
        raise HTTPException(404, str(error)) from None


@router.get("/health")
def health(request: Request, database: Data) -> HTMLResponse:
    """Show the state of the installation."""
    return render(request, "health.html.j2", health=answers.get_health(database))


@router.get("/api")
def api(request: Request) -> HTMLResponse:
    """Show the documentation of the JSON API."""
    return render(request, "api.html.j2", endpoints=endpoints(request.app.openapi()))
