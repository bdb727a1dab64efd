"""The collection `optimade`: crystals as OPTIMADE structures (doi:10.1038/s41597-021-00974-z).

Entries are made from `materials` and `structures` once, and then only from what is new: so every
filter of the standard runs on plain fields with indexes.
"""

from __future__ import annotations

import re
from datetime import timedelta
from itertools import islice
from math import gcd
from typing import TYPE_CHECKING, Any

from bson import ObjectId
from pymongo import ReplaceOne

from screening.schemas import OriginDoc
from screening.schemas.structure import found_by

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from stores.database import Database

COLLECTION = "optimade"
PREFIX = "screening"
BULK = 1000
OVERLAP = timedelta(minutes=10)
"""What is this much older than the newest entry is looked at again: clocks differ."""
PROVIDER_FIELDS: dict[str, tuple[str, str, str | None]] = {
    "kind": ("string", "material: a discovery; generated, relaxed or dft: a structure", None),
    "role": ("string", "candidate, element, competing or imported", None),
    "energy_source": ("string", "Engine of the energies", None),
    "pressure": ("float", "Pressure of the relaxation and of the hull", "GPa"),
    "energy_per_atom": ("float", "Total energy per atom", "eV"),
    "enthalpy_per_atom": ("float", "Energy and pressure times volume, per atom", "eV"),
    "formation_energy_per_atom": (
        "float",
        "Against the elements, per atom, on the scale of DFT where one is known",
        "eV",
    ),
    "energy_above_hull": (
        "float",
        "Distance to the hull, per atom: of reference compounds where there are any",
        "eV",
    ),
    "is_stable": ("boolean", "Whether it is on that hull", None),
    "hull_id": ("string", "The hull: its entries and date", None),
    "dynamic_stability": ("string", "Phonons: stable, marginal, unstable, not_converged", None),
    "min_frequency": ("float", "Lowest phonon frequency, imaginary as negative", "THz"),
    "superseded_by": ("string", "The material or newer hull that has replaced it", None),
    "n_references": ("integer", "Reference compounds of its elements on the hull", None),
    "systems_without_reference": (
        "list",
        "Binary and ternary systems of its elements with no reference compound",
        None,
    ),
    "known": ("boolean", "Whether it matches a known phase of known_source", None),
    "known_source": ("string", "Sources that were searched for known phases, with dates", None),
    "method": ("string", "Methods that proposed it, the best rank of each", None),
    "campaign_ids": ("list", "Campaigns whose own tasks have produced it", None),
    "density": ("float", "Density", "g/cm^3"),
}
"""Fields beyond the standard, without their prefix: type, description, unit."""
_MATERIAL = (
    "material_id", "formula_pretty", "structure", "symmetry", "last_updated", "energy_source",
    "pressure", "energy_per_atom", "enthalpy_per_atom", "formation_energy_per_atom",
    "energy_above_hull", "is_stable", "hull_id", "dynamic_stability", "min_frequency", "known",
    "known_source", "superseded_by", "n_references", "systems_without_reference", "method",
    "campaign_ids", "density",
)  # fmt: skip
_STRUCTURE = (
    "structure_id", "stage", "role", "structure", "symmetry", "origins", "density",
    "relaxation.engine", "relaxation.pressure", "relaxation.energy_per_atom",
    "relaxation.enthalpy_per_atom", "provenance.ended",
)  # fmt: skip


def build_optimade(database: Database) -> int:
    """Bring the entries up to date; returns how many were written.

    The connection must be one that may write.
    """
    with database.guard():
        written = _write(database, "materials", _new_materials(database), _of_material)
        return written + _write(database, "structures", _new_structures(database), _of_structure)


def _new_materials(database: Database) -> dict[str, Any]:
    newest = database.raw(COLLECTION).find_one({"kind": "material"}, sort=[("last_modified", -1)])
    return {"last_updated": {"$gt": newest["last_modified"] - OVERLAP}} if newest else {}


def _new_structures(database: Database) -> dict[str, Any]:
    newest = database.raw(COLLECTION).find_one({"source": {"$ne": None}}, sort=[("source", -1)])
    if newest is None:
        return {}
    moment = newest["source"].generation_time - OVERLAP
    return {"_id": {"$gt": ObjectId.from_datetime(moment)}}


def _write(
    database: Database,
    name: str,
    query: dict[str, Any],
    convert: Callable[[dict[str, Any]], dict[str, Any]],
) -> int:
    fields = _MATERIAL if name == "materials" else _STRUCTURE
    rows = database.store(name).query(query, dict.fromkeys((*fields, "_id"), 1))
    written = 0
    for batch in _batches(rows, BULK):
        entries = [convert(row) for row in batch]
        database.raw(COLLECTION).bulk_write(
            [ReplaceOne({"id": entry["id"]}, entry, upsert=True) for entry in entries],
            ordered=False,
        )
        written += len(entries)
    return written


def _batches(rows: Iterable[dict[str, Any]], size: int) -> Iterator[list[dict[str, Any]]]:
    iterator = iter(rows)
    while batch := list(islice(iterator, size)):
        yield batch


def _of_material(row: dict[str, Any]) -> dict[str, Any]:
    own = {name: row.get(name) for name in PROVIDER_FIELDS}
    return {
        "id": row["material_id"],
        "last_modified": row["last_updated"],
        **own,
        "kind": "material",
        "role": "candidate",
        "source": None,
        **_geometry(row["structure"]),
        **_symmetry(row.get("symmetry")),
    }


def _of_structure(row: dict[str, Any]) -> dict[str, Any]:
    relaxation = row.get("relaxation") or {}
    origins = [OriginDoc.model_validate(origin) for origin in row.get("origins") or []]
    made: ObjectId = row["_id"]
    ended = (row.get("provenance") or {}).get("ended")
    return {
        "id": row["structure_id"],
        "last_modified": ended or made.generation_time,
        **dict.fromkeys(PROVIDER_FIELDS),
        "kind": row["stage"],
        "role": row["role"],
        "energy_source": relaxation.get("engine"),
        **{
            name: relaxation.get(name)
            for name in ("pressure", "energy_per_atom", "enthalpy_per_atom")
        },
        "method": found_by(origins) or None,
        "density": row["density"],
        "source": made,
        **_geometry(row["structure"]),
        **_symmetry(row.get("symmetry")),
    }


def _symmetry(symmetry: dict[str, Any] | None) -> dict[str, Any]:
    found = symmetry or {}
    return {
        "space_group_it_number": found.get("number"),
        "space_group_symbol_hermann_mauguin": spaced_symbol(found.get("symbol")),
    }


def spaced_symbol(symbol: str | None) -> str | None:
    """Write spglib's ``P2_1/c`` as the standard wants it: ``P 21/c``."""
    if not symbol:
        return None
    parts = re.findall(r"-?\d(?:_\d)?(?:/[a-z])?|[a-z]", symbol[1:])
    return " ".join([symbol[0], *(part.replace("_", "") for part in parts)])


def _geometry(structure: dict[str, Any]) -> dict[str, Any]:
    """Describe an ordered crystal (pymatgen's dictionary) by the fields of the standard."""
    sites = structure["sites"]
    symbols = [site["species"][0]["element"] for site in sites]
    elements = sorted(set(symbols))
    counts = [symbols.count(element) for element in elements]
    divisor = gcd(*counts)
    reduced = [count // divisor for count in counts]
    names = [chr(65 + i % 26) + (chr(97 + i // 26 - 1) if i >= 26 else "") for i in range(118)]
    ordered = sorted(reduced, reverse=True)
    return {
        "structure_features": [],
        "elements": elements,
        "nelements": len(elements),
        "elements_ratios": [count / len(sites) for count in counts],
        "chemical_formula_reduced": _formula(elements, reduced),
        "chemical_formula_descriptive": _formula(elements, counts),
        "chemical_formula_anonymous": _formula(names, ordered),
        "dimension_types": [1, 1, 1],
        "nperiodic_dimensions": 3,
        "lattice_vectors": structure["lattice"]["matrix"],
        "cartesian_site_positions": [site["xyz"] for site in sites],
        "nsites": len(sites),
        "species_at_sites": symbols,
        "species": [
            {"name": element, "chemical_symbols": [element], "concentration": [1.0]}
            for element in elements
        ],
    }


def _formula(symbols: list[str], counts: list[int]) -> str:
    pairs = zip(symbols, counts, strict=False)  # the anonymous names are more than enough
    return "".join(f"{symbol}{count if count > 1 else ''}" for symbol, count in pairs)
