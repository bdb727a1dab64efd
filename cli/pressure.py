"""`screening pressure`: crystals under pressure."""

from __future__ import annotations

from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.formatting import console, print_json, show
from cli.progress import stage_bars
from cli.types import JsonFlag, Quiet
from screening.errors import InputError
from screening.pressure import compression
from screening.pressure.references import check_equations_of_state
from screening.readers.files import read_structures

if TYPE_CHECKING:
    from pymatgen.core import Structure

    from screening.pressure.compression import Compression

app = typer.Typer(no_args_is_help=True, help="Crystals under pressure: transitions, compression.")
Engine = Annotated[str, typer.Option(help="Energy engine, or module:callable of ASE.")]
EOS_COLUMNS = {
    "name": "crystal",
    "measured_bulk_modulus": "B0 measured (GPa)",
    "bulk_modulus": "B0 (GPa)",
    "measured_derivative": "B0' measured",
    "derivative": "B0'",
    "volume_error": "V0 error",
    "10": "10 GPa",
    "30": "30 GPa",
    "60": "60 GPa",
    "100": "100 GPa",
    "doi": "from",
}


@app.command()
def transitions(
    files: Annotated[
        list[Path], typer.Argument(help="Structures of one composition, a phase in each file.")
    ],
    pressures: Annotated[
        str, typer.Option(help="Pressures (GPa): 0,5,10 or FROM:TO:STEP.")
    ] = "0:20:2",
    engine: Engine = "chgnet",
    as_json: JsonFlag = False,
    quiet: Quiet = False,
) -> None:
    """Relax phases at pressures, and find where one follows another by enthalpy."""
    grid = _pressures(pressures)
    phases = _phases(files)
    with stage_bars(quiet=quiet or as_json):
        found = compression.compress(phases, grid, engine=engine)
    changes = [vars(change) for change in compression.transitions(found)]
    rows = _rows(found)
    if as_json:
        print_json({"engine": engine, "rows": rows, "transitions": changes})
        return
    columns = {"pressure": "p (GPa)"}
    columns |= {name: f"H({name}) (eV/atom)" for name in found.names}
    show(rows, columns, title=f"enthalpies by {engine}")
    for change in changes:
        console.print(
            f"{change['before']} -> {change['after']} at {change['pressure']:.1f} GPa "
            f"(volume {change['volume_change']:+.1%})",
            highlight=False,
        )
    if not changes:
        console.print("no transition between these pressures")


@app.command("eos")
def equations_of_state(
    engine: Engine = "chgnet",
    crystals: Annotated[
        str, typer.Option(help="Names, with commas between them; all if left out.")
    ] = "",
    as_json: JsonFlag = False,
    quiet: Quiet = False,
) -> None:
    """Compare equations of state of a potential with measured ones."""
    names = tuple(name.strip() for name in crystals.split(",") if name.strip())
    with stage_bars(quiet=quiet or as_json):
        result = check_equations_of_state(engine, names=names)
    if as_json:
        print_json(result)
        return
    rows = [{**row, **row["label_errors"]} for row in result["crystals"]]
    show(rows, EOS_COLUMNS, title=f"equations of state by {result['engine']}")
    summary = result["summary"]
    for pressure, label in summary["labels"].items():
        console.print(
            f"at {pressure} GPa the pressure is off by {label['mean_absolute_error']:.0%} on "
            f"average ({label['n']} crystals)",
            highlight=False,
        )
    console.print(f"pressures are credible up to {summary['credible_up_to']:g} GPa")


def _pressures(text: str) -> list[float]:
    """Read ``0,5,10`` or ``FROM:TO:STEP``."""
    try:
        if ":" in text:
            first, last, step = (float(part) for part in text.split(":"))
            n = round((last - first) / step)
            return [first + step * k for k in range(n + 1)]
        return sorted({float(part) for part in text.split(",")})
    except (ValueError, ZeroDivisionError):
        raise InputError(f"--pressures {text!r}: use 0,5,10 or FROM:TO:STEP in GPa") from None


def _phases(files: list[Path]) -> dict[str, Structure]:
    """Read one structure of each file; all must have one composition."""
    phases: dict[str, Any] = {}
    for file in files:
        read = next(iter(read_structures(file)))
        if read.structure is None:
            raise InputError(f"{read.label} {read.reason}")
        name = file.stem
        if name in phases:
            raise InputError(f"two files are called {name!r}: phases are named after their files")
        phases[name] = read.structure.get_primitive_structure()
    formulas = {phase.composition.reduced_formula for phase in phases.values()}
    if len(formulas) > 1:
        raise InputError(
            f"the files hold {sorted(formulas)}: phases that follow each other have one composition"
        )
    return phases


def _rows(found: Compression) -> list[dict[str, Any]]:
    """List enthalpies (eV/atom) and volumes (Angstrom^3/atom) by pressure; None where it failed."""
    rows = []
    for column, pressure in enumerate(found.pressures.tolist()):
        row: dict[str, Any] = {"pressure": pressure}
        for place, name in enumerate(found.names):
            value, volume = found.enthalpies[place, column], found.volumes[place, column]
            row[name] = float(value) if isfinite(value) else None
            row[f"{name}_volume"] = float(volume) if isfinite(volume) else None
            row[f"{name}_reason"] = found.reasons.get((name, pressure))
        rows.append(row)
    return rows
