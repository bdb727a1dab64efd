"""Which hull is the newest of a chemical system, and the materials that it speaks of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from screening.composition import parse_formula
from screening.elements import symbols
from screening.hull.coverage import n_references, systems_without_reference
from screening.hull.entry import PhaseEntry
from screening.hull.standing import Crystal, HullRef, distances, newest_hull, ranking_energy
from screening.schemas import HullDoc
from stores.queries.documents import subsystems

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from screening.schemas import ReferenceSource, StructureDoc
    from stores.database import Database

_ENERGIES = ("energy_per_atom", "enthalpy_per_atom", "formula_pretty", "structure_id")


def hulls_of_source(database: Database, source: str) -> list[HullRef]:
    """List all hulls of one source of energies."""
    rows = database.rows("hulls", {"energy_source": source}, ["created", "hull_id", "chemsys"])
    return [HullRef(row["created"], row["hull_id"], row["chemsys"]) for row in rows]


def newest_of(database: Database, hull_ids: Iterable[str]) -> dict[str, set[str]]:
    """Find the newest hulls of all systems that some hulls hold.

    Parameters
    ----------
    database
        The database.
    hull_ids
        Hulls, old or new.

    Returns
    -------
    dict of str to set of str
        Identifiers of the newest hulls, with the chemical systems that each is the newest of.
    """
    query = {"hull_id": {"$in": list(hull_ids)}}
    held: dict[str, set[str]] = {}
    for row in database.rows("hulls", query, ["chemsys", "energy_source"]):
        held.setdefault(row["energy_source"], set()).update(subsystems(row["chemsys"]))
    newest: dict[str, set[str]] = {}
    for source, systems in held.items():
        for hull_id, newest_systems in by_newest(
            hulls_of_source(database, source), systems
        ).items():
            newest.setdefault(hull_id, set()).update(newest_systems)
    return newest


def by_newest(hulls: list[HullRef], systems: Iterable[str]) -> dict[str, set[str]]:
    """Group chemical systems by the newest hull that holds them."""
    newest: dict[str, set[str]] = {}
    for system in systems:
        hull = newest_hull(hulls, system)
        if hull is not None:
            newest.setdefault(hull.hull_id, set()).add(system)
    return newest


def crystals_of(database: Database, hull: HullDoc, systems: set[str]) -> dict[str, Crystal]:
    """Read the materials of some systems with energies of a hull's source, by material_id."""
    query = {"chemsys": {"$in": sorted(systems)}, "energy_source": hull.energy_source}
    return {
        row["material_id"]: _crystal(row, hull.pressure)
        for row in database.rows("materials", query, ["material_id", *_ENERGIES])
    }


def verdicts_of_newest_hulls(
    database: Database, documents: Sequence[StructureDoc]
) -> dict[str, dict[str, Any]]:
    """Place relaxed structures, by their own energies, on the newest hulls of their systems.

    Parameters
    ----------
    database
        The database.
    documents
        Relaxed structures with usable energies, of any systems and sources.

    Returns
    -------
    dict of str to dict
        By structure_id `energy_above_hull` (eV/atom) and, as materials have them, `hull_id`,
        `hull_created`, `n_references`, `systems_without_reference`, `known` and `known_source`;
        structures whose system has no hull are left out.
    """
    groups: dict[tuple[str, str], list[StructureDoc]] = {}
    for document in documents:
        if document.relaxation is not None:
            groups.setdefault((document.relaxation.source, document.chemsys), []).append(document)
    verdicts: dict[str, dict[str, Any]] = {}
    for (source, chemsys), group in groups.items():
        newest = newest_hull(hulls_of_source(database, source), chemsys)
        hull = database.get(HullDoc, newest.hull_id) if newest else None
        if hull is not None:
            verdicts |= _verdicts(hull, chemsys, group)
    return verdicts


def _verdicts(
    hull: HullDoc, chemsys: str, documents: Sequence[StructureDoc]
) -> dict[str, dict[str, Any]]:
    elements = chemsys.split("-")
    ground = {
        "hull_id": hull.hull_id,
        "hull_created": hull.created,
        "n_references": n_references(hull.entries, elements),
        "systems_without_reference": systems_without_reference(hull.entries, elements),
    }
    places = (entry.reference for entry in hull.entries if {*entry.composition} == {*elements})
    place = next((place for place in places if place is not None), None)
    if place is not None:
        ground["n_references"] = place.n_references
        ground["systems_without_reference"] = place.systems_without_reference
    known_as = {name: entry.known_as for entry in hull.entries for name in entry.members}
    return {
        name: {
            "energy_above_hull": distance,
            **ground,
            **known_fields(known_as.get(name, []), hull.searched),
        }
        for name, distance in distances(hull, [_crystal_of(one) for one in documents]).items()
    }


def known_fields(phases: list[str], searched: Sequence[ReferenceSource]) -> dict[str, Any]:
    """Say whether a crystal is among the known phases of the sources that were searched.

    Parameters
    ----------
    phases
        Known phases that are the crystal (structure_id).
    searched
        The sources.

    Returns
    -------
    dict
        The fields `known`, `known_source`, `known_as` and `searched` of a material.
    """
    answers = [
        source.model_copy(update={"matches": bool(phases), "identifiers": list(phases)})
        if source.scope == "crystals"
        else source
        for source in searched
    ]
    of_crystals = [source for source in answers if source.scope == "crystals"]
    names = ", ".join(f"{source.name} ({source.date:%Y-%m-%d})" for source in of_crystals)
    return {
        "known": bool(phases) if phases or of_crystals else None,
        "known_source": names or None,
        "known_as": list(phases),
        "searched": answers,
    }


def _crystal_of(document: StructureDoc) -> Crystal:
    phase = PhaseEntry.from_structures([document])
    return Crystal(phase.entry_id, phase.composition, phase.ranking_energy)


def _crystal(row: dict[str, Any], pressure: float) -> Crystal:
    composition = {symbols()[z]: float(n) for z, n in parse_formula(row["formula_pretty"]).items()}
    energy = ranking_energy(row["energy_per_atom"], row.get("enthalpy_per_atom"), pressure)
    return Crystal(row["structure_id"], composition, energy)
