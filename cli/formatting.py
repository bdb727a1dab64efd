"""Tables, JSON and CSV: how results are shown."""

from __future__ import annotations

import csv
import json
import math
import sys
from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Any, Literal

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from screening.hull.wording import known_statement

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from screening.schemas import FunnelStage

console = Console(soft_wrap=True)  # messages are never cut: paths and commands can be copied
errors = Console(stderr=True, soft_wrap=True)

_UNLIMITED = 100_000
"""Width of a table that is written into a pipe or a file (characters)."""
LONG = {
    "why", "value", "meaning", "from", "finding", "fix", "error", "label", "tasks", "found_by",
    "elements",
}  # fmt: skip
"""Columns whose text may go over several lines."""
OPTIONAL = (
    "others",
    "launcher",
    "created",
    "nsites",
    "volume_per_atom",
    "state",
    "failed",
)
"""Columns that go first when the terminal is narrow."""
MATERIAL_COLUMNS = {
    "material_id": "id",
    "formula_pretty": "formula",
    "space_group": "space group",
    "nsites": "atoms",
    "formation_energy_per_atom": "E_form",
    "energy_above_hull": "E_hull",
    "energy_source": "energies by",
    "no_reference": "no reference in",
    "dynamic_stability": "phonons",
    "known": "known",
    "superseded_by": "superseded by",
    "method": "found by",
}
"""Table of materials; `material_columns` leaves out what is empty or the same in all rows."""


def plain(value: Any) -> Any:
    """Turn dates, enumerations, arrays and numbers that are none into what JSON has."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Enum):
        return value.value
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    return None if isinstance(value, float) and not math.isfinite(value) else value


def print_json(value: Any) -> None:
    """Write JSON to standard output."""
    text = json.dumps(plain(value), indent=2, default=str, allow_nan=False)
    sys.stdout.write(text + "\n")


def cell(value: Any) -> str:
    """Write one value of a table."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.3f}"
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M")
    if isinstance(value, (list, tuple)):
        return " ".join(cell(item) for item in value)
    return str(value)


def show(
    rows: Sequence[Mapping[str, Any]],
    columns: Mapping[str, str],
    *,
    title: str = "",
    as_json: bool = False,
    as_csv: bool = False,
) -> None:
    """Print rows as a table, JSON or CSV.

    Parameters
    ----------
    rows
        Dictionaries.
    columns
        Key -> heading; the order of the columns.
    title
        Title of the table.
    as_json, as_csv
        Machine-readable instead of a table.
    """
    if as_json:
        print_json([{key: row.get(key) for key in columns} for row in rows])
    elif as_csv:
        writer = csv.writer(sys.stdout)
        writer.writerow(columns)
        writer.writerows([plain(row.get(key)) for key in columns] for row in rows)
    else:
        _print_table(rows, columns, title)


def _print_table(rows: Sequence[Mapping[str, Any]], columns: Mapping[str, str], title: str) -> None:
    """Print a compact table.

    A terminal gets abbreviated identifiers (commands take them like that) and the columns that it
    has room for. A pipe or a file gets everything, each row on one line.
    """
    table = Table(
        title=escape(title) or None,
        title_justify="left",
        header_style="bold",
        box=SIMPLE_HEAD,
        padding=(0, 1),
        collapse_padding=True,
        pad_edge=False,
    )
    visible = _fitting(rows, columns) if console.is_terminal else columns
    for key, heading in visible.items():
        values = [row.get(key) for row in rows]
        numeric = any(isinstance(v, (int, float)) and not isinstance(v, bool) for v in values)
        justify: Literal["left", "right"] = "right" if numeric else "left"
        width = max((len(_short(key, value)) for value in values), default=0)
        table.add_column(
            heading,
            justify=justify,
            no_wrap=key not in LONG or not console.is_terminal,
            min_width=width if key.endswith("_id") else None,  # cut, they could not be pasted
        )
    for row in rows:
        table.add_row(*(Text(_short(key, row.get(key))) for key in visible))
    if console.is_terminal:
        console.print(table, soft_wrap=False)
    else:
        Console(file=console.file, width=_UNLIMITED).print(table)


def _fitting(rows: Sequence[Mapping[str, Any]], columns: Mapping[str, str]) -> dict[str, str]:
    """Leave columns out that a narrow terminal has no room for."""
    visible = dict(columns)
    widths = {
        key: max([len(heading), *(len(_short(key, row.get(key))) for row in rows)]) + 2
        for key, heading in columns.items()
    }
    for key in OPTIONAL:
        if key in visible and sum(widths[name] for name in visible) > console.width:
            del visible[key]
    return visible


def _short(key: str, value: Any) -> str:
    """Abbreviate identifiers on a terminal."""
    text = cell(value)
    prefix, _, rest = text.partition("-")
    abbreviate = console.is_terminal and key.endswith("_id") and rest
    return f"{prefix}-{rest[:8]}" if abbreviate else text


def material_row(row: Mapping[str, Any]) -> dict[str, Any]:
    """Flatten a row of the `materials` collection for a listing."""
    symmetry = row.get("symmetry") or {}
    number, symbol = symmetry.get("number"), symmetry.get("symbol")
    return {
        **row,
        "space_group": f"{symbol} ({number})" if number else None,
        "no_reference": ", ".join(row.get("systems_without_reference") or []),
    }


def material_columns(rows: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Choose the columns of a table of materials, and call enthalpies by their name."""
    columns = dict(MATERIAL_COLUMNS)
    sources = {row.get("energy_source") for row in rows}
    pressures = {bool(row.get("pressure")) for row in rows}
    if len(sources) == 1:
        del columns["energy_source"]
    for name in ("no_reference", "superseded_by"):
        if not any(row.get(name) for row in rows):
            del columns[name]
    if True in pressures:
        letter = "H" if pressures == {True} else "E/H"
        columns |= {
            "formation_energy_per_atom": f"{letter}_form", "energy_above_hull": f"{letter}_hull",
        }  # fmt: skip
    return columns


def material_notes(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Say what a table of materials rests on: energies, references, sources of known phases."""
    if not rows:
        return []
    sources = sorted({str(row.get("energy_source")) for row in rows})
    letters = "enthalpies" if all(row.get("pressure") for row in rows) else "energies"
    if len({bool(row.get("pressure")) for row in rows}) > 1:
        letters = "energies, at a pressure enthalpies (H),"
    notes = [
        f"{letters} in eV/atom by {', '.join(sources)}; distances to the newest hull of each system"
    ]
    if any(row.get("no_reference") for row in rows):
        notes.append(
            "no reference in: systems without a compound among the references, so that the "
            "distance may be too small: `screening references import`"
        )
    statements = {
        known_statement(row.get("known"), row.get("known_source")) for row in rows
        if not row.get("known")
    }  # fmt: skip
    return [*notes, *(f"known, where it is not yes: {text}" for text in sorted(statements))]


def funnel_rows(funnel: Mapping[str, FunnelStage]) -> list[dict[str, Any]]:
    """Turn a funnel into rows."""
    return [
        {
            "stage": name,
            "in": stage.n_in,
            "out": stage.n_out,
            "failed": stage.n_failed,
            "of": stage.unit,
            "why": ", ".join(f"{reason} {n}" for reason, n in top_reasons(stage.reasons)),
        }
        for name, stage in funnel.items()
    ]


FUNNEL_COLUMNS = {
    "stage": "stage",
    "in": "in",
    "out": "out",
    "failed": "failed",
    "of": "",
    "why": "",
}


def top_reasons(reasons: Mapping[str, int], n: int = 4) -> Iterable[tuple[str, int]]:
    """List the most frequent reasons."""
    return sorted(reasons.items(), key=lambda item: -item[1])[:n]
