"""`screening config`: settings of this machine."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from cli.formatting import errors, show
from cli.types import CsvFlag, JsonFlag
from db_config import get_settings
from db_config.files import effective_launchpad, environment, launchpad_path, stray_config
from db_config.settings import load_settings
from stores import open_database

app = typer.Typer(help="Settings of this machine.", no_args_is_help=True)


@app.command("show")
def show_settings(as_json: JsonFlag = False, as_csv: CsvFlag = False) -> None:
    """Show each setting, its value and where it came from; secrets are hidden."""
    settings, origins = load_settings()
    rows = []
    for name, field in type(settings).model_fields.items():
        value = getattr(settings, name)
        rows.append(
            {
                "setting": name,
                "value": None if value is None else str(value),
                "from": origins[name],
                "meaning": field.description,
            }
        )
    columns = {key: key for key in ("setting", "value", "from", "meaning")}
    show(rows, columns, as_json=as_json, as_csv=as_csv)


@app.command("env")
def show_environment(
    export: Annotated[bool, typer.Option(help="Write `export` lines for the shell.")] = True,
) -> None:
    """Print the variables that point jobflow and FireWorks at this database.

    Use it as: eval "$(screening config env)"

    FireWorks reads a FW_config.yaml of the working folder, or of ~/.fireworks, before these
    variables. Where there is one, a warning names it and the options that overrule it.
    """
    open_database()  # writes the files
    settings = get_settings()
    variables = environment(settings)
    for name, value in variables.items():
        quoted = shlex.quote(value)
        typer.echo(f"export {name}={quoted}" if export else f"{name}={quoted}")
    stray = stray_config()
    if stray is not None and effective_launchpad(variables)[0] != launchpad_path(settings):
        _warn_of(stray, launchpad_path(settings))


def _warn_of(stray: Path, launchpad: Path) -> None:
    """Say on standard error that FireWorks will use another LaunchPad."""
    file = shlex.quote(str(launchpad))
    errors.print(
        f"warning: FireWorks reads {stray} first, so lpad, rlaunch and qlaunch will use another "
        f"LaunchPad here: work in another folder or move that file, or add `-l {file}` to each "
        "of them",
        markup=False,
        highlight=False,
    )
