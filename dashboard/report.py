"""The report of a campaign: one HTML file that needs nothing else, and CIF files beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, select_autoescape
from plotly.offline import get_plotlyjs
from pymatgen.core import Structure
from pymatgen.symmetry.analyzer import SpacegroupAnalyzer

from dashboard.api.flow import get_flow
from dashboard.cif import SYMPREC
from dashboard.exports import crystal_text
from dashboard.figures import (
    caption,
    flow_figure,
    funnel_figure,
    hull_figure,
    model_figures,
    parity_figure,
    phonon_figure,
    structure_figure,
)
from dashboard.validations import validations
from screening.checkpoints import read_card
from screening.errors import CheckpointError
from screening.hull import wording
from screening.schemas import HullDoc, MaterialDoc, PhononDoc, SpaceGroupDoc, utc_now
from stores.queries.criteria import any_of
from stores.queries.documents import campaign_funnel
from stores.record import recorded_materials

if TYPE_CHECKING:
    from pathlib import Path

    import plotly.graph_objects as go

    from screening.schemas import CampaignDoc
    from stores import Database

CONFIG = {"displaylogo": False, "responsive": True}


def write_report(
    database: Database, campaign: CampaignDoc, folder: Path, *, top: int = 12
) -> tuple[Path, list[Path]]:
    """Write ``report.html`` and one CIF file for each crystal of a campaign.

    Parameters
    ----------
    database
        The database; only read.
    campaign
        The campaign.
    folder
        Made if needed.
    top
        Crystals that get pictures.

    Returns
    -------
    The report, and the CIF files.
    """
    materials = recorded_materials(database, campaign)
    cif_folder = folder / "cif"
    cif_folder.mkdir(parents=True, exist_ok=True)
    files = [_write_cif(material, cif_folder) for material in materials]
    page = (
        _environment()
        .get_template("report.html.j2")
        .render(
            campaign=campaign,
            created=utc_now(),
            materials=materials,
            best=_best_of_each(materials),
            cards=[_card(database, material) for material in _best_of_each(materials)[:top]],
            plotly=_plotly_script(),
            files={
                m.material_id: f"cif/{path.name}" for m, path in zip(materials, files, strict=True)
            },
            models=_models(database, campaign),
            validations=validations(database, campaign.campaign_id),
            **_overview(database, campaign, materials),
        )
    )
    path = folder / "report.html"
    path.write_text(page, encoding="utf-8")
    return path, files


def _best_of_each(materials: list[MaterialDoc]) -> list[MaterialDoc]:
    """Keep the first crystal of each formula."""
    first: dict[str, MaterialDoc] = {}
    for material in materials:
        first.setdefault(material.formula_pretty, material)
    return list(first.values())


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("dashboard"), autoescape=select_autoescape(default=True)
    )
    environment.filters["thousands"] = lambda n: f"{n:,}"
    environment.globals["wording"] = wording
    return environment


def _plotly_script() -> str:
    script: str = get_plotlyjs()
    return script


def _html(figure: go.Figure | None) -> str:
    if figure is None:
        return ""
    text: str = figure.to_html(full_html=False, include_plotlyjs=False, config=CONFIG)
    return text


def _overview(
    database: Database, campaign: CampaignDoc, materials: list[MaterialDoc]
) -> dict[str, Any]:
    """Draw the figures of the whole campaign."""
    funnel = campaign_funnel(database, campaign.campaign_id)
    flow = get_flow(database, campaign.campaign_id)
    hulls = list(database.find(HullDoc, any_of("hull_id", sorted({m.hull_id for m in materials}))))
    compared = [m for m in materials if m.predicted_formation_energy_per_atom is not None]
    parity = parity_figure(
        [m.formation_energy_per_atom for m in compared],
        [m.predicted_formation_energy_per_atom or 0.0 for m in compared],
        [m.formula_pretty for m in compared],
        materials[0].energy_source if materials else "",
    )
    return {
        "funnel": funnel,
        "funnel_figure": _html(funnel_figure(funnel)),
        "flow_figures": {
            title: _html(flow_figure(diagram))
            for title, diagram in (
                ("Compositions", flow.compositions),
                ("Structures", flow.structures),
                ("Structures by method, and where they ended", flow.methods),
            )
            if diagram.links
        },
        "hulls": [{"hull": hull, "figure": _html(hull_figure(hull))} for hull in hulls],
        "parity_figure": _html(parity) if compared else "",
    }


def _card(database: Database, material: MaterialDoc) -> dict[str, Any]:
    """Draw the figures of one crystal."""
    phonon = database.get(PhononDoc, material.phonon_of or material.structure_id)
    structure = _conventional(Structure.from_dict(material.structure))
    lattice = structure.lattice
    return {
        "material": material,
        "phonon": phonon,
        "structure_figure": _html(structure_figure(structure)),
        "phonon_figure": _html(phonon_figure(phonon)) if phonon else "",
        "lattice": [round(value, 3) for value in (*lattice.abc, *lattice.angles)],
    }


def _conventional(structure: Structure) -> Structure:
    """Return the conventional cell, or the cell as it is where spglib finds no symmetry."""
    if SpaceGroupDoc.from_structure(structure, SYMPREC) is None:
        return structure
    return SpacegroupAnalyzer(structure, symprec=SYMPREC).get_conventional_standard_structure()


def _models(database: Database, campaign: CampaignDoc) -> list[dict[str, Any]]:
    """List the models and engines that the tasks of a campaign used."""
    models: dict[str, dict[str, Any]] = {}
    rows = database.rows(
        "tasks",
        {"campaign_ids": campaign.campaign_id, "state": "finished"},
        ["stage", "provenance"],
    )
    for row in rows:
        checkpoint = (row["provenance"] or {}).get("checkpoint")
        if checkpoint:
            models[checkpoint["sha256"]] = {"stage": row["stage"], **checkpoint}
    ordered = sorted(models.values(), key=lambda model: (model["stage"], model["name"]))
    return [model | {"figures": _model_figures(model)} for model in ordered]


def _model_figures(model: dict[str, Any]) -> list[dict[str, str]]:
    """Draw the figures of a checkpoint, if it is at hand and still the one that was used."""
    try:
        card = read_card(model["name"])
    except CheckpointError:
        return []
    if card.sha256 != model["sha256"]:
        return []
    figures = model_figures(card.plots, card.history)
    return [{"caption": caption(name), "html": _html(figure)} for name, figure in figures.items()]


def _write_cif(material: MaterialDoc, folder: Path) -> Path:
    path = folder / f"{material.formula_pretty}_{material.material_id}.cif"
    structure = Structure.from_dict(material.structure)
    path.write_text(crystal_text(structure, material.model_dump(), "cif"), encoding="utf-8")
    return path
