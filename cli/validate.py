"""`screening validate`: DFT of chosen crystals."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
import yaml

from cli.formatting import console, show
from cli.progress import stage_bars
from cli.types import JsonFlag, Quiet, SetOption, parse_settings
from flows import validation as flow
from flows.choice import choose, chosen_by_hand
from flows.inputs import estimate_row, write_inputs
from flows.launch import run_flow, submit_flow
from makers.fields import build_maker
from makers.validation import ValidationMaker
from screening.errors import InputError
from screening.schemas import Stage, StructureDoc
from stores import open_database
from stores.membership import produced_by
from stores.queries.documents import find_campaign

if TYPE_CHECKING:
    from makers.validation import ValidationMaker
    from screening.schemas import CampaignDoc, StructureDoc
    from stores import Database

COLUMNS = {
    "structure_id": "id",
    "formula": "formula",
    "why": "why",
    "nsites": "atoms",
    "n_electrons": "electrons",
    "n_kpoints": "k-points",
    "n_plane_waves": "plane waves",
    "n_displacements": "displacements",
    "core_hours": "core hours",
}


def validate(
    identifiers: Annotated[
        list[str] | None,
        typer.Argument(metavar="[ID]...", help="Materials or structures; left out: --campaign."),
    ] = None,
    campaign: Annotated[
        str | None, typer.Option(help="Choose from this campaign, by its policy.")
    ] = None,
    settings: Annotated[str | None, typer.Option(help="paper or mp.")] = None,
    budget: Annotated[float | None, typer.Option(help="Most core hours.", min=0.001)] = None,
    top: Annotated[int | None, typer.Option(help="Most candidates.", min=1)] = None,
    more: SetOption = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Write the input files and the estimate only.")
    ] = False,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of --dry-run.")] = Path("dft"),
    launcher: Annotated[str, typer.Option("--launcher", help="local or fireworks.")] = "local",
    as_json: JsonFlag = False,
    quiet: Quiet = False,
) -> None:
    """Relax crystals by DFT, and compute phonons of the stable ones; shows the cost first."""
    if launcher not in {"local", "fireworks"}:
        raise InputError(f"{launcher=} must be local or fireworks")
    database = open_database()
    document = None if identifiers else find_campaign(database, campaign)
    options = {"settings": settings, "budget": budget, "top": top}
    given = {name: value for name, value in options.items() if value is not None}
    maker = _maker(document, given | parse_settings(more))
    candidates, competing, passed_over = _chosen(database, maker, document, identifiers or [])
    if dry_run:
        rows = write_inputs(maker, candidates, competing, out)
    else:
        mine = {one.structure_id for one in candidates}
        rows = [
            estimate_row(maker, one, phonons=one.structure_id in mine)
            for one in [*candidates, *competing]
        ]
    for number, row in enumerate(rows):
        row["why"] = "candidate" if number < len(candidates) else "competing phase"
    columns = {name: name for name in rows[0]} if as_json else COLUMNS
    show(rows, columns, title=f"DFT with settings {maker.settings!r}", as_json=as_json)
    if not as_json:
        total = sum(row["core_hours"] for row in rows)
        console.print(f"about {total:.3g} core hours in all; the model is rough (docs/validation)")
        for name, reason in list(passed_over.items())[:10]:
            console.print(f"left out {name}: {reason}", markup=False, highlight=False)
    if dry_run:
        if not as_json:
            console.print(f"wrote the input files to {out}; nothing was run", markup=False)
        return
    ending = flow.ending_of(database, document)
    names = [one.structure_id for one in candidates], [one.structure_id for one in competing]
    flow_of_all = flow.validation_flow(maker, *names, ending)
    _launch(database, flow_of_all, launcher, maker.code, quiet=quiet or as_json)


def _maker(document: CampaignDoc | None, given: dict[str, Any]) -> ValidationMaker:
    """Take the campaign's section, and what is given on the command line."""
    section = dict(document.config.get("validation") or {}) if document else {}
    values = {
        name: yaml.safe_load(value) if isinstance(value, str) else value
        for name, value in given.items()
    }
    return build_maker(ValidationMaker, section | values, "validation.")


def _chosen(
    database: Database,
    maker: ValidationMaker,
    document: CampaignDoc | None,
    identifiers: list[str],
) -> tuple[list[StructureDoc], list[StructureDoc], dict[str, str]]:
    if document is None:
        candidates = chosen_by_hand(database, identifiers)
        names = [one.structure_id for one in candidates]
        competing = flow.competing_of(database, names) if maker.competing else []
        return candidates, database.get_many(StructureDoc, competing, blobs=False), {}
    relaxed = produced_by(database, document.campaign_id, Stage.RELAX)
    hull_ids = flow.ending_of(database, document).hull_ids
    chosen = choose(database, maker, hull_ids, relaxed)
    if not chosen.chosen:
        raise InputError(
            f"campaign {document.name!r} has no candidate for DFT within "
            f"{maker.max_above_hull} eV/atom of the hull and the budget: --set max_above_hull=0.2"
        )
    names = [one.structure_id for one in chosen.chosen]
    return (
        database.get_many(StructureDoc, names, blobs=False),
        database.get_many(StructureDoc, chosen.competing, blobs=False),
        chosen.passed_over,
    )


def _launch(database: Database, flow: Any, launcher: str, code: str, *, quiet: bool) -> None:
    if launcher == "fireworks":
        numbers = submit_flow(flow, {})
        console.print(
            f"submitted {len(numbers)} firework; the calculations are added when it runs\n"
            'next: [bold]eval "$(screening config env)" && rlaunch rapidfire[/]',
            highlight=False,
        )
        return
    with stage_bars(quiet=quiet):
        run_flow(flow, database)
    if not quiet:
        console.print(
            f"next: [bold]screening query 'energy_source CONTAINS \"{code}\"'[/], "
            "[bold]screening lineage ID[/], [bold]screening report[/]",
            highlight=False,
        )
