"""Computed entries in JSON, as pymatgen writes them; nothing in them is decoded or run."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import isfinite
from typing import TYPE_CHECKING, Any

from screening.readers import limits
from screening.readers.crystal import read_one
from screening.readers.json_files import KEYS, crystal_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pymatgen.core import Structure

ENERGIES = (-100.0, 100.0)
"""Bounds of an energy (eV/atom); all-electron energies are another scale."""
OXIDE_TYPES = frozenset({"oxide", "peroxide", "superoxide", "ozonide", "hydroxide", "None"})


@dataclass(frozen=True)
class ReadEntry:
    """A computed entry, or why it cannot be used.

    Attributes
    ----------
    label
        Its identifier.
    structure
        The structure, or None.
    energy
        Total energy without corrections (eV/cell).
    run_type
        Functional: GGA, GGA+U, ...
    potcars
        'titel' and 'hash' of each POTCAR.
    hubbards
        U by element (eV).
    data
        What the corrections of anions need: 'oxidation_states' and 'oxide_type', where given.
    reason
        Why it cannot be used.
    """

    label: str
    structure: Structure | None = None
    energy: float = 0.0
    run_type: str = "GGA"
    potcars: Sequence[Mapping[str, str | None]] = ()
    hubbards: Mapping[str, float] = field(default_factory=dict)
    data: Mapping[str, Any] = field(default_factory=dict)
    reason: str | None = None


def read_entry(row: Any, name: str = "0") -> ReadEntry:
    """Read one entry, such as the dictionary of a ComputedStructureEntry.

    Parameters
    ----------
    row
        The entry.
    name
        Its name in its file, which counts if it has no ``entry_id``.
    """
    label = name
    try:
        for key in KEYS:
            held = row.get(key)
            if isinstance(held, dict) and "energy" in held:  # a row of a table of entries
                return read_entry(held, name)
        label = limits.excerpt(str(row.get("entry_id") or name))
        return _read(row, label)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        text = str(error) or type(error).__name__
        text = f"has no {text}" if isinstance(error, KeyError) else text
        kind = "is no entry: " if isinstance(error, (AttributeError, TypeError)) else ""
        return ReadEntry(label, reason=kind + limits.excerpt(text, 200))


def _read(row: dict[str, Any], label: str) -> ReadEntry:
    energy = _number(row["energy"], "energy")
    parameters, data = row.get("parameters") or {}, row.get("data") or {}
    if "structure" not in row:
        raise KeyError("structure")
    read = read_one(label, lambda: crystal_of(row))
    if read.structure is None:
        return ReadEntry(label, reason=read.reason)
    per_atom, (low, high) = energy / len(read.structure), ENERGIES
    if not low <= per_atom <= high:
        raise ValueError(f"has an energy of {per_atom:g} eV/atom: {low:g} to {high:g} are possible")
    run_type = parameters.get("run_type") or "GGA"
    if not isinstance(run_type, str):
        raise TypeError(f"its run_type is {limits.excerpt(run_type)}")
    hubbards = parameters.get("hubbards") or {}
    return ReadEntry(
        label,
        read.structure,
        energy,
        run_type,
        _potcars(parameters),
        {str(name): _number(value, "U") for name, value in hubbards.items()},
        _data(data),
    )


def _number(value: Any, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not isfinite(value):
        raise ValueError(f"has the {name} {limits.excerpt(value)}")
    return float(value)


def _potcars(parameters: dict[str, Any]) -> list[dict[str, str | None]]:
    """Take the POTCARs, as titles, out of what entries have.

    Raises
    ------
    ValueError
        If there are none: without them nothing says that the energy fits the scheme.
    """
    specs = parameters.get("potcar_spec") or []
    titles = [spec["titel"] for spec in specs] or parameters.get("potcar_symbols") or []
    if not titles or not all(isinstance(title, str) and title for title in titles):
        raise ValueError("names no POTCARs (potcar_spec or potcar_symbols)")
    hashes = [spec.get("hash") for spec in specs] or [None] * len(titles)
    return [
        {"titel": title, "hash": str(digest) if digest else None}
        for title, digest in zip(titles, hashes, strict=True)
    ]


def _data(data: dict[str, Any]) -> dict[str, Any]:
    inputs: dict[str, Any] = {}
    states = data.get("oxidation_states")
    if isinstance(states, dict) and states:
        inputs["oxidation_states"] = {
            str(element): _number(state, "oxidation state") for element, state in states.items()
        }
    if data.get("oxide_type") in OXIDE_TYPES:
        inputs["oxide_type"] = data["oxide_type"]
    return inputs
