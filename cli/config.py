"""`screening config`: settings of this machine."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.types import CsvFlag, JsonFlag

app = typer.Typer(help="Settings of this machine.", no_args_is_help=True)


@app.command("show")
def show_settings(as_json: JsonFlag = False, as_csv: CsvFlag = False) -> None:
    """Show each setting, its value and where it came from; secrets are hidden."""
    from cli.formatting import show
    from db_config.settings import load_settings

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
    """
    from db_config import get_settings
    from db_config.files import environment
    from stores import open_database

    open_database()  # writes the files
    for name, value in environment(get_settings()).items():
        typer.echo(f"export {name}={value}" if export else f"{name}={value}")
