"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from screening.errors import InputError

JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON.")]
CsvFlag = Annotated[bool, typer.Option("--csv", help="Print CSV.")]
CampaignName = Annotated[
    str | None,
    typer.Argument(help="Name or identifier of the campaign; the last one if left out."),
]
SeedOption = Annotated[
    int, typer.Option("--seed", help="Seed of all random numbers.", min=0, max=2**32 - 1)
]
DataOption = Annotated[
    list[Path], typer.Option("--data", help="Parquet file; may be given several times.")
]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE", help="Further option; may be repeated."),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress bars.")]


def parse_settings(pairs: list[str] | None) -> dict[str, str]:
    """Turn ``NAME=VALUE`` texts into a dictionary.

    Raises
    ------
    InputError
        If one has no equals sign.
    """
    options = {}
    for pair in pairs or []:
        name, separator, value = pair.partition("=")
        if not separator or not name:
            raise InputError(f"--set {pair!r} must be NAME=VALUE")
        options[name.strip()] = value.strip()
    return options
