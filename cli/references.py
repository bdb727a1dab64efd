"""`screening references`: competing phases from elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli import reference_tables
from cli.formatting import console, errors, show
from cli.progress import stage_bars
from cli.types import CsvFlag, JsonFlag, Quiet
from flows import entries, imports
from screening.errors import InputError
from stores import open_database

if TYPE_CHECKING:
    from flows.imports import ImportReport

SHOWN = 20
"""Structures and files that are listed one by one."""

group = typer.Typer(help="Competing phases of the hulls.", no_args_is_help=True)
reference_tables.register(group)
Chemsys = Annotated[
    str | None, typer.Option("--chemsys", help="Chemical system for mp and optimade: Li-Mn-S.")
]


@group.command("import")
def import_references(
    source: Annotated[
        str, typer.Argument(help="A file or folder of structures, 'mp', or 'optimade'.")
    ],
    chemsys: Chemsys = None,
    url: Annotated[str | None, typer.Option(help="Base URL of the OPTIMADE provider.")] = None,
    quiet: Quiet = False,
) -> None:
    """Import structures; campaigns relax them and put them on their hulls."""
    found = imports.open_source(source, chemsys=chemsys, url=url)
    database = open_database()
    with stage_bars(quiet=quiet):
        result = imports.import_structures(database, found.structures, found.name)
    print_left_out(result)
    print_passed_over(found.passed_over)
    if not result.n_imported:
        raise InputError(f"{source!r} gave no usable structure")
    console.print(
        f"imported {result.n_imported} structures of {len(result.chemsys)} chemical systems, "
        f"left out {len(result.rejected)}"
        + (f", passed over {len(found.passed_over)} files" if found.passed_over else "")
        + "; the next campaign there relaxes them"
    )


def print_left_out(result: ImportReport) -> None:
    """Say what was not imported and why, and what was read otherwise than it is written."""
    lines = [f"left out {label}: {reason}" for label, reason in result.rejected[:SHOWN]]
    if len(result.rejected) > SHOWN:
        lines.append(f"left out {len(result.rejected) - SHOWN} more")
    lines += [f"note {label}: {note}" for label, note in result.notes[:SHOWN]]
    for line in lines:
        errors.print(line, markup=False, soft_wrap=True, highlight=False)


def print_passed_over(files: list[Path]) -> None:
    """Count and name the files of a folder that are of no known type."""
    if files:
        names = ", ".join(file.name for file in files[:SHOWN])
        more = f" and {len(files) - SHOWN} more" if len(files) > SHOWN else ""
        line = f"passed over {len(files)} files of no known type: {names}{more}"
        errors.print(line, markup=False, soft_wrap=True, highlight=False)


@group.command("entries")
def import_entries(
    file: Annotated[Path, typer.Argument(help="JSON file of ComputedStructureEntries.")],
) -> None:
    """Import DFT energies of the Materials Project, for validation with `settings: mp`."""
    result = entries.import_entries(open_database(), entries.read_entries(file), file.name)
    print_left_out(result)
    if not result.n_imported:
        raise InputError(f"{str(file)!r} gave no usable entry")
    console.print(
        f"imported {result.n_imported} entries of {len(result.chemsys)} chemical systems, left "
        f"out {len(result.rejected)}; the hulls of DFT energies with settings mp have them"
    )


@group.command("list")
def list_references(as_json: JsonFlag = False, as_csv: CsvFlag = False) -> None:
    """List the imported structures."""
    query = {"roles": "imported", "stage": "generated"}
    fields = ["structure_id", "formula", "chemsys", "nsites", "symmetry.symbol", "origins"]
    rows = [
        {
            **row,
            "space group": (row.get("symmetry") or {}).get("symbol"),
            "source": origin["method"],
            "label": origin["template"],
        }
        for row in open_database().rows("structures", query, fields)
        for origin in row["origins"]
        if origin["role"] == "imported"
    ]
    columns = ["structure_id", "formula", "chemsys", "nsites", "space group", "source", "label"]
    show(rows, {name: name for name in columns}, as_json=as_json, as_csv=as_csv)
