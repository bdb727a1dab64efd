"""Structures in JSON: pymatgen's own, and the containers that people keep them in.

Nothing in the file is decoded by ``@module`` or ``@class``: lattice, species and coordinates are
taken by their names, everything else is passed over.
"""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from screening.readers import limits
from screening.readers.crystal import RawCrystal, ReadStructure, because, read_one
from screening.readers.optimade import resource_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KEYS = ("structure", "computed_structure_entry", "final_structure", "initial_structure", "atoms")
"""Names under which an item holds its structure: the first that it has is taken."""
LISTS = ("structures", "entries", "results", "materials", "data")
"""Names under which a container holds its items."""
IDENTIFIERS = ("material_id", "structure_id", "entry_id", "id", "jid", "name")


def read_json(file: Path) -> Iterator[ReadStructure]:
    """Read a structure, an entry, or a list, dictionary or table of them, or an OPTIMADE answer.

    Parameters
    ----------
    file
        A JSON file.

    Yields
    ------
    A crystal for each item, or why there is none.
    """
    try:
        content = json.loads(limits.read_text(file))
    except (ValueError, RecursionError) as error:
        yield ReadStructure(str(file), reason=because(error))
        return
    for name, item in items_of(content):
        label = f"{file}#{limits.excerpt(name)}"
        if isinstance(item, dict) and isinstance(item.get("attributes"), dict):
            yield resource_of(item, label)
        elif isinstance(item, dict):
            yield read_one(label, partial(crystal_of, item))
        else:
            yield ReadStructure(label, reason="is not a structure")


def items_of(content: Any, name: str = "0", depth: int = 0) -> Iterator[tuple[str, Any]]:
    """Find the items of a container, with their names."""
    if depth > limits.MAX_DEPTH:
        yield name, None
    elif isinstance(content, list):
        for number, item in enumerate(content):
            yield _name_of(item, str(number), depth), item
    elif not isinstance(content, dict) or _is_structure(content):
        yield _name_of(content, name, depth), content
    elif (rows := _table(content)) is not None:
        for index, row in rows:
            yield _name_of(row, index, 1), row
    else:
        held = {key: content[key] for key in LISTS if isinstance(content.get(key), (list, dict))}
        if not held and all(isinstance(value, dict) for value in content.values()):
            held = content
        for key, value in held.items():
            yield from items_of(value, str(key), depth + 1)
        if not held:
            yield name, content


def _is_structure(content: dict[str, Any]) -> bool:
    if "attributes" in content or "lattice" in content or "lattice_mat" in content:
        return True
    return any(_is_single(content.get(key)) for key in KEYS)


def _is_single(value: Any) -> bool:
    """Tell a structure from a column of a table."""
    if isinstance(value, str):
        return value.lstrip().startswith("{")
    return isinstance(value, dict) and any(
        key in value for key in ("lattice", "lattice_mat", *KEYS)
    )


def _table(content: dict[str, Any]) -> list[tuple[str, Any]] | None:
    """Take the rows out of pandas' tables: orient 'split' and 'columns'; None for anything else."""
    columns, data = content.get("columns"), content.get("data")
    if isinstance(columns, list) and isinstance(data, list):
        index = content.get("index")
        names = index if isinstance(index, list) and len(index) == len(data) else range(len(data))
        return [
            (str(name), dict(zip(map(str, columns), row, strict=False)))
            for name, row in zip(names, data, strict=True)
            if isinstance(row, list)
        ]
    key = next((key for key in KEYS if isinstance(content.get(key), dict)), None)
    if key is None:
        return None
    columns_by_name = {name: value for name, value in content.items() if isinstance(value, dict)}
    return [
        (str(name), {column: values.get(name) for column, values in columns_by_name.items()})
        for name in content[key]
    ]


def _name_of(item: Any, name: str, depth: int) -> str:
    """Name an item by its identifier if it is one row of a table, else by its place."""
    if depth and isinstance(item, dict):
        identifier = next(
            (item[key] for key in IDENTIFIERS if isinstance(item.get(key), str)), None
        )
        return identifier or name
    return name


def crystal_of(item: dict[str, Any], depth: int = 0) -> RawCrystal:
    """Read a structure of pymatgen or JARVIS, or an item that holds one.

    Raises
    ------
    KeyError, TypeError, ValueError
        If something is missing or of another kind.
    """
    held = next((item[key] for key in KEYS if isinstance(item.get(key), (dict, str))), None)
    if isinstance(held, str):
        held = json.loads(held)
    if isinstance(held, dict) and depth < limits.MAX_DEPTH:
        return crystal_of(held, depth + 1)
    if "lattice_mat" in item:
        return _from_jarvis(item)
    if "lattice" not in item and "cif" in item:
        raise ValueError("holds the text of a CIF: write it into a file of its own")
    lattice = _lattice(item["lattice"])
    sites = item["sites"]
    if not sites:
        raise ValueError("holds no atoms")
    species = [_species(site) for site in sites]
    if all("abc" in site for site in sites):
        return RawCrystal.of(lattice, species, [site["abc"] for site in sites])
    positions = np.asarray([site["xyz"] for site in sites], dtype=float)
    return RawCrystal.of(lattice, species, positions @ np.linalg.inv(lattice))


def _lattice(content: dict[str, Any]) -> Any:
    from pymatgen.core import Lattice

    if "matrix" in content:
        return np.asarray(content["matrix"], dtype=float)
    values = [float(content[name]) for name in ("a", "b", "c", "alpha", "beta", "gamma")]
    return Lattice.from_parameters(*values).matrix


def _species(site: dict[str, Any]) -> dict[str, float]:
    """Read the elements of a site and their shares; charges are left out."""
    shares: dict[str, float] = {}
    for species in site["species"]:
        name = str(species["element"])
        shares[name] = shares.get(name, 0.0) + float(species.get("occu", 1.0))
    return shares


def _from_jarvis(item: dict[str, Any]) -> RawCrystal:
    lattice = np.asarray(item["lattice_mat"], dtype=float)
    coords = np.asarray(item["coords"], dtype=float)
    if item.get("cartesian"):
        coords = coords @ np.linalg.inv(lattice)
    return RawCrystal.of(lattice, [str(name) for name in item["elements"]], coords)
