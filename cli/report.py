"""`screening report`: a campaign as one HTML file, with CIF files beside it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from cli.formatting import console
from cli.types import CampaignName
from dashboard.report import write_report
from db_config import get_settings
from screening.checkpoints import set_checkpoint_folder
from stores import open_database
from stores.queries.documents import find_campaign


def report(
    campaign: CampaignName = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder; default: report-NAME.")
    ] = None,
    top: Annotated[int, typer.Option(help="Crystals with pictures.", min=0, max=200)] = 12,
) -> None:
    """Write the report of a campaign: funnel, hull, crystals, phonons, provenance."""
    set_checkpoint_folder(get_settings().checkpoint_dir)
    database = open_database()
    document = find_campaign(database, campaign)
    folder = out or Path("report-" + re.sub(r"[^\w.-]+", "-", document.name))
    path, files = write_report(database, document, folder, top=top)
    name = escape(str(path))
    console.print(
        f"wrote {name} and {len(files)} CIF files in {escape(str(folder / 'cif'))}\n"
        f"next: open {name} in a browser; [bold]screening lineage ID[/] tells where a crystal "
        "comes from; [bold]screening predict Li3MnS4[/] does one composition",
        highlight=False,
        soft_wrap=True,
    )
