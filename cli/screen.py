"""`screening screen`: relaxation, hull, phonons and verdict of crystals that the user brings."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from cli.campaign import run_here
from cli.formatting import errors
from cli.types import Quiet, SeedOption
from flows.own_structures import own_campaign, read_candidates
from stores import open_database


def screen(
    source: Annotated[Path, typer.Argument(help="A file or folder of structures.")],
    name: Annotated[
        str | None, typer.Option(help="Name of the campaign; left out: that of the source.")
    ] = None,
    until: Annotated[
        Literal["relax", "hull", "phonon"], typer.Option(help="Last stage.")
    ] = "phonon",
    engine: Annotated[
        str, typer.Option(help="Potential: chgnet, or any ASE calculator as module:callable.")
    ] = "chgnet",
    pressure: Annotated[float, typer.Option(help="Pressure (GPa).")] = 0.0,
    seed: SeedOption = 0,
    quiet: Quiet = False,
) -> None:
    """Screen crystals of your own as candidates of a campaign."""
    crystals = read_candidates(open_database(), source)
    for label, reason in crystals.rejected:
        errors.print(f"left out {label}: {reason}", markup=False, highlight=False)
    for path in crystals.passed_over:
        errors.print(f"passed over {path}: unknown type", markup=False, highlight=False)
    campaign = own_campaign(
        crystals,
        name or f"screen-{source.resolve().stem}",
        until=until,
        engine=engine,
        pressure=pressure,
        seed=seed,
    )
    run_here(campaign, quiet=quiet)
