"""`screening potentials`: weights of potentials that others publish."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.formatting import console, show
from cli.progress import stage_bars
from cli.types import CsvFlag, JsonFlag, Quiet
from screening.engines.potentials import add as add_file
from screening.engines.potentials import file_hash, potential, potential_folder, source_id, survey
from screening.engines.potentials import verify as verify_files
from screening.engines.potentials_fetch import fetch as fetch_file
from screening.errors import EngineError

app = typer.Typer(no_args_is_help=True, help="Weights of potentials that others publish.")
COLUMNS = {
    "name": "engine",
    "state": "state",
    "licence": "licence",
    "trained_on": "trained on",
    "functional": "energies",
    "sha256": "SHA-256",
    "origin": "origin",
}


@app.command("list")
def list_potentials(as_json: JsonFlag = False, as_csv: CsvFlag = False) -> None:
    """List the potentials that are known, with licence and origin, and which are here."""
    title = f"potentials in {potential_folder()}"
    show(survey(), COLUMNS, title=title, as_json=as_json, as_csv=as_csv)


@app.command("add")
def add(
    file: Annotated[Path, typer.Argument(help="A file of weights, as its authors publish it.")],
    name: Annotated[
        str | None, typer.Option(help="Which potential it is; needed if its hash is not known.")
    ] = None,
) -> None:
    """Copy a file of weights to your potentials, after checking what it is."""
    entry, path = add_file(file, name)
    _say(entry.name, path)


@app.command("fetch")
def fetch(
    name: Annotated[str, typer.Argument(help="Name of the potential.")],
    sha256: Annotated[
        str | None, typer.Option(help="Hash that the file must have, where none is known.")
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Download weights from their authors' public place; an interrupted download goes on."""
    with stage_bars(quiet=quiet):
        entry, path = fetch_file(name, sha256)
    _say(entry.name, path)


@app.command("verify")
def verify(as_json: JsonFlag = False, as_csv: CsvFlag = False) -> None:
    """Check that the files of your potentials are those of their authors and can be read."""
    rows = verify_files()
    columns = {"name": "engine", "state": "state", "sha256": "SHA-256", "file": "file"}
    show(rows, columns, as_json=as_json, as_csv=as_csv)
    bad = [row["name"] for row in rows if row["state"] != "right"]
    if bad:
        raise EngineError(f"{', '.join(bad)}: delete the file, then add or fetch it again")


def _say(name: str, path: Path) -> None:
    entry = potential(name)
    console.print(
        f"{name}: {path}, SHA-256 {file_hash(path)[:12]}, licence {entry.licence}, "
        f"{', '.join(entry.references)}; energies are called {source_id(name)!r}, use it with "
        f"`engine: {name}`",
        markup=False,
        soft_wrap=True,
    )
