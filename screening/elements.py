"""The one table of the elements (H to Lr), read once from `screening/data/elements.csv`.

Columns are arrays indexed by atomic number (index 0 is unused), so that a packed composition can
gather them without a loop. Units and sources: `screening/data/README.md`.
"""

from __future__ import annotations

import csv
import json
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

import numpy as np

from screening.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAX_Z = 103
"""The heaviest element in the table, Lr."""

_DATA = files("screening") / "data"


@cache
def _rows() -> tuple[dict[str, str], ...]:
    text = (_DATA / "elements.csv").read_text(encoding="utf-8")
    return tuple(csv.DictReader(text.splitlines()))


@cache
def symbols() -> tuple[str, ...]:
    """Symbols indexed by atomic number; index 0 is the empty string. Length ``MAX_Z + 1``."""
    return ("", *(row["symbol"] for row in _rows()))


@cache
def _numbers() -> dict[str, int]:
    return {symbol: number for number, symbol in enumerate(symbols()) if symbol}


@cache
def column(name: str) -> NDArray[np.float64]:
    """Read one numeric column, shape ``(MAX_Z + 1,)``, NaN where the table has no value.

    Booleans are 0 and 1. The array is shared and read-only.

    Raises
    ------
    KeyError
        If the table has no such column.
    """
    words = {"True": 1.0, "False": 0.0, "": np.nan}
    values = [words[text] if (text := row[name]) in words else float(text) for row in _rows()]
    array = np.array([np.nan, *values])
    array.setflags(write=False)
    return array


def atomic_number(symbol: str) -> int:
    """Atomic number of an element symbol.

    Raises
    ------
    InputError
        If `symbol` is not an element from H to Lr.
    """
    try:
        return _numbers()[symbol]
    except KeyError:
        hint = "; write H, isotopes are not told apart" if symbol in {"D", "T"} else ""
        raise InputError(f"unknown element {symbol!r}: use the symbols H to Lr{hint}") from None


@cache
def common_oxidation_states() -> tuple[tuple[int, ...], ...]:
    """Pymatgen's common oxidation states indexed by atomic number (empty where it lists none)."""
    return ((), *(tuple(map(int, row["common_oxidation_states"].split())) for row in _rows()))


def oxidation_tables() -> tuple[str, ...]:
    """Names of the frozen oxidation-state tables."""
    return tuple(_oxidation_states())


@cache
def _oxidation_states() -> dict[str, dict[str, list[int]]]:
    tables: dict[str, dict[str, list[int]]] = json.loads(
        (_DATA / "oxidation_states.json").read_text(encoding="utf-8")
    )
    return tables


@cache
def oxidation_states(table: str) -> tuple[tuple[int, ...], ...]:
    """Oxidation states indexed by atomic number (empty where `table` lists none).

    Raises
    ------
    InputError
        If there is no such table.
    """
    tables = _oxidation_states()
    if table not in tables:
        raise InputError(f"unknown oxidation-state {table=}: use one of {sorted(tables)}")
    return tuple(tuple(sorted(tables[table].get(symbol, ()))) for symbol in symbols())
