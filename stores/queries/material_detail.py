"""All that is known about one crystal, and about one chemical system."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from screening.errors import InputError
from screening.schemas import HullDoc, MaterialDoc, PhononDoc, RelaxationDoc
from stores.queries.documents import CURRENT, MATERIAL_FIELDS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pymatgen.core import Structure

    from stores.database import Database

PHONON_FIELDS = [name for name in PhononDoc.model_fields if name != "force_constants"]
RELAXED_FIELDS = [
    *("structure_id", "parent_id", "stage", "role", "nsites", "symmetry", "origins"),
    *("duplicate_of", "volume_per_atom"),
    *(f"relaxation.{name}" for name in RelaxationDoc.model_fields if name != "trajectory"),
]
NEIGHBOURS = 12
"""Competing phases that are listed for one crystal."""
SYSTEM_ROWS = 200


def get_material(database: Database, material_id: str) -> MaterialDoc:
    """Read one discovery.

    Raises
    ------
    InputError
        If there is none.
    """
    material = database.get(MaterialDoc, material_id)
    if material is None:
        raise InputError(f"there is no material {material_id!r}: the list of discoveries names all")
    return material


def get_phonon(database: Database, structure_id: str) -> PhononDoc | None:
    """Read the phonons of a structure without the force constants."""
    query = {"structure_id": structure_id}
    row = next(database.rows("phonons", query, PHONON_FIELDS, limit=1, blobs=True), None)
    return PhononDoc.model_validate(row) if row else None


def computed_energies(database: Database, material: MaterialDoc) -> list[dict[str, Any]]:
    """List every calculation of this crystal: what was relaxed, by which engine, and how it ended.

    Structures that were made from the crystal's own (a DFT relaxation of it) are part of it.
    """
    own = list(dict.fromkeys([material.structure_id, *material.found_as]))
    query = {"$or": [{"structure_id": {"$in": own}}, {"parent_id": {"$in": own}}]}
    rows = list(database.rows("structures", query, RELAXED_FIELDS, limit=SYSTEM_ROWS))
    return sorted(rows, key=lambda row: (row["structure_id"] not in own, _energy(row)))


def _energy(row: dict[str, Any]) -> float:
    energy = (row.get("relaxation") or {}).get("energy_per_atom")
    return float("inf") if energy is None else float(energy)


def relaxation_path(database: Database, structure_id: str) -> dict[str, Any] | None:
    """Read energy, force and volume at each step of the relaxation that made a structure."""
    query = {"structure_id": structure_id}
    fields = ["relaxation.trajectory", "nsites"]
    row = next(database.rows("structures", query, fields, limit=1, blobs=True), None)
    path = ((row or {}).get("relaxation") or {}).get("trajectory")
    return {"nsites": row["nsites"], **path} if row and path else None


def parent_structure(database: Database, structure_id: str) -> Structure | None:
    """Rebuild the structure that another one was made from."""
    from pymatgen.core import Structure

    query: dict[str, Any] = {"structure_id": structure_id}
    child = next(database.rows("structures", query, ["parent_id"], limit=1), None)
    query = {"structure_id": child["parent_id"] if child else None}
    found = next(database.rows("structures", query, ["structure"], limit=1, blobs=True), None)
    return Structure.from_dict(found["structure"]) if found else None


def predictions(database: Database, material: MaterialDoc) -> list[dict[str, Any]]:
    """List what the composition model said, for each campaign that found the crystal."""
    fields = ["candidate_id", "campaign_id", "rank", "energy", "validity", "generation.method"]
    query = {"candidate_id": {"$in": material.candidate_ids}}
    return list(database.rows("candidates", query, fields, limit=NEIGHBOURS))


def polymorphs(database: Database, material: MaterialDoc) -> list[dict[str, Any]]:
    """List the other crystals of the same formula and source of energies, the lowest first."""
    query = {
        "formula_pretty": material.formula_pretty,
        "energy_source": material.energy_source,  # it names the pressure
        **CURRENT,
    }
    rows = database.rows(
        "materials",
        query,
        MATERIAL_FIELDS,
        sort={"energy_above_hull": 1, "material_id": 1},
        limit=NEIGHBOURS + 1,
    )
    others = [row for row in rows if row["material_id"] != material.material_id]
    return others[:NEIGHBOURS]


def place_on_hull(
    database: Database, material: MaterialDoc
) -> tuple[dict[str, Any] | None, list[dict[str, Any]]]:
    """Find what decides a crystal's place on its hull.

    Returns
    -------
    The hull without its entries (None when it is gone), and the competing entries: the phases of
    the decomposition first, then the lowest crystal of each of the nearest formulas.
    """
    query = {"hull_id": material.hull_id}
    with database.guard():
        hull = database.raw("hulls").find_one(query, {"_id": 0, "entries.members": 0})
    if hull is None:
        return None, []
    entries = hull.pop("entries")
    if not isinstance(entries, list):  # so many that they are in GridFS
        entries = next(database.rows("hulls", query, ["entries"], limit=1, blobs=True))["entries"]
    own = next((e for e in entries if e["entry_id"] == material.structure_id), None)
    return hull, _competitors(entries, own) if own else []


def _competitors(entries: list[dict[str, Any]], own: dict[str, Any]) -> list[dict[str, Any]]:
    target = _fractions(own)

    def distance(entry: dict[str, Any]) -> float:
        other = _fractions(entry)
        return sum(abs(target.get(el, 0.0) - other.get(el, 0.0)) for el in {*target, *other})

    lowest: dict[str, dict[str, Any]] = {}
    for entry in sorted(entries, key=lambda e: float(e["energy_above_hull"])):
        if entry["outlier"] is None and entry["formula"] != own["formula"]:
            lowest.setdefault(entry["formula"], entry)
    chosen = {
        e["entry_id"]: e for e in entries if e["entry_id"] in own["decomposition"] and e is not own
    }
    others = [e for e in lowest.values() if e["entry_id"] not in chosen]
    return [*chosen.values(), *sorted(others, key=distance)][:NEIGHBOURS]


def _fractions(entry: dict[str, Any]) -> dict[str, float]:
    total = sum(entry["composition"].values())
    return {element: amount / total for element, amount in entry["composition"].items()}


def get_hull(database: Database, hull_id: str) -> HullDoc | None:
    """Read one hull."""
    return database.get(HullDoc, hull_id)


def newest_hulls(database: Database, chemsys: str) -> list[HullDoc]:
    """Read the newest hull of a chemical system for each source of energies."""
    hulls: dict[str, HullDoc] = {}
    for hull in database.find(
        HullDoc, {"chemsys": chemsys}, sort={"energy_source": 1, "version": -1}
    ):
        hulls.setdefault(hull.energy_source, hull)
    return list(hulls.values())


def system_candidates(database: Database, chemsys: str) -> list[dict[str, Any]]:
    """List the compositions of one chemical system that campaigns chose, with what they reached."""
    fields = ["candidate_id", "campaign_id", "formula", "rank", "score", "energy", "stage"]
    order = {"candidate_id": 1}
    query = {"chemsys": chemsys}
    rows = list(database.rows("candidates", query, fields, sort=order, limit=SYSTEM_ROWS))
    return sorted(rows, key=lambda row: (row["campaign_id"], row["rank"] or len(rows) + 1))


def chemical_systems(database: Database, limit: int = 200) -> list[dict[str, Any]]:
    """List the chemical systems with a hull, the last one first."""
    pipeline: list[dict[str, Any]] = [
        {"$sort": {"chemsys": 1, "energy_source": 1, "version": 1}},
        {
            "$group": {
                "_id": "$chemsys",
                "n_entries": {"$last": "$n_entries"},
                "created": {"$max": "$created"},
                "sources": {"$addToSet": "$energy_source"},
            }
        },
        {"$sort": {"created": -1, "_id": 1}},
        {"$limit": limit},
    ]
    with database.guard():
        rows = list(database.raw("hulls").aggregate(pipeline))
    return [{"chemsys": row.pop("_id"), **row} for row in rows]


def structures_of(
    database: Database, material_ids: list[str]
) -> Iterator[tuple[dict[str, Any], Structure]]:
    """Yield documents of discoveries with their structures, without what files do not say."""
    from pymatgen.core import Structure

    fields = [*MATERIAL_FIELDS, "structure_id", "structure", "energy_per_atom", "enthalpy_per_atom"]
    query = {"material_id": {"$in": material_ids}}
    for row in database.rows("materials", query, fields, blobs=True):
        yield row, Structure.from_dict(row["structure"])
