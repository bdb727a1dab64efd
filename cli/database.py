"""`screening db`: the database server."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.formatting import console, errors, show
from cli.types import CsvFlag, JsonFlag
from db_config import get_settings
from db_config.mongod import EmbeddedServer
from screening.errors import ScreeningError
from stores import open_database
from stores.collections import COLLECTIONS
from stores.doctor import examine
from stores.repair import repair

app = typer.Typer(help="The database: status, start, stop, doctor.", no_args_is_help=True)


@app.command()
def status(as_json: JsonFlag = False, as_csv: CsvFlag = False) -> None:
    """Show where the database is and what it holds."""
    database = open_database()
    rows = [{"collection": name, "documents": database.count(name)} for name in COLLECTIONS]
    if not (as_json or as_csv):
        kind = "embedded" if database.settings.mongo_uri is None else "server"
        console.print(
            f"{kind} MongoDB at {database.where}, database {database.settings.database!r}"
        )
    show(
        rows, {"collection": "collection", "documents": "documents"}, as_json=as_json, as_csv=as_csv
    )


@app.command()
def start() -> None:
    """Start the embedded server and let it run (for FireWorks workers on this machine)."""
    database = open_database(keep=True)
    if database.settings.mongo_uri is not None:
        console.print(f"nothing to start: the settings name the server at {database.where}")
        return
    console.print(f"running at {database.where}; `screening db stop` ends it")
    console.print(
        'for rlaunch and jobflow: [bold]eval "$(screening config env)"[/]', highlight=False
    )


@app.command()
def stop() -> None:
    """Stop the embedded server."""
    stopped = EmbeddedServer(get_settings()).stop()
    console.print("stopped" if stopped else "it was not running")


@app.command()
def doctor(
    fix: Annotated[
        bool, typer.Option("--fix", help="Bring documents of older versions up to date first.")
    ] = False,
    as_json: JsonFlag = False,
    as_csv: CsvFlag = False,
) -> None:
    """Check server, indexes, blobs, tasks, checkpoints and engines; say how to fix each."""
    if fix:
        place = errors if as_json or as_csv else console
        for line in repair(open_database()):
            place.print(line, markup=False)
    findings = examine()
    columns = {"check": "check", "state": "state", "finding": "finding", "fix": "how to fix"}
    show(findings, columns, as_json=as_json, as_csv=as_csv)
    bad = [row["check"] for row in findings if row["state"] == "bad"]
    if bad:
        raise ScreeningError(f"{len(bad)} checks failed: {', '.join(bad)}")
