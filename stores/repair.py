"""Brings what an older version wrote up to date; nothing is computed again."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from screening.hull.coverage import n_references, systems_without_reference
from screening.schemas import HullDoc
from stores.builders import build_materials
from stores.references import name_searches, searched_sources, unnamed_searches
from stores.standing import by_newest, hulls_of_source

if TYPE_CHECKING:
    from stores.database import Database


@dataclass
class Outdated:
    """What does not fit the newest hulls, or lacks what documents say today.

    Attributes
    ----------
    n_materials
        Materials with the value of an older hull, or written by an older version.
    rebuild
        Newest hulls of these materials.
    hull_ids
        Newest hulls of materials that do not count their reference compounds.
    searches
        Tasks that searched for known phases and do not say where (task_key).
    """

    n_materials: int = 0
    rebuild: set[str] = field(default_factory=set)
    hull_ids: set[str] = field(default_factory=set)
    searches: list[str] = field(default_factory=list)


def outdated(database: Database) -> Outdated:
    """Find out what `repair` would change."""
    faults = Outdated()
    newest: dict[str, dict[str, set[str]]] = {}
    for group in _groups(database):
        system, source = group["_id"]["chemsys"], group["_id"]["source"]
        if source not in newest:
            newest[source] = by_newest(
                hulls_of_source(database, source), _systems(database, source)
            )
        hull_id = next((name for name, held in newest[source].items() if system in held), None)
        if hull_id is None:
            continue  # its hull is gone: nothing to compare with
        stale = group["_id"]["hull_id"] != hull_id
        n_stale = group["n"] if stale else group["n_old"]
        faults.n_materials += n_stale
        if n_stale:
            faults.rebuild.add(hull_id)
    current = sorted({name for held in newest.values() for name in held})
    query = {"hull_id": {"$in": current}, "n_references": None}
    faults.hull_ids = {row["hull_id"] for row in database.rows("hulls", query, ["hull_id"])}
    faults.searches = unnamed_searches(database)
    return faults


def _groups(database: Database) -> list[dict[str, Any]]:
    """Count materials by system, source and hull; `n_old` were written by an older version."""
    old = {"$cond": [{"$eq": [{"$type": "$superseded_by"}, "missing"]}, 1, 0]}
    pipeline: list[dict[str, Any]] = [
        {
            "$group": {
                "_id": {"chemsys": "$chemsys", "source": "$energy_source", "hull_id": "$hull_id"},
                "n": {"$sum": 1},
                "n_old": {"$sum": old},
            }
        }
    ]
    with database.guard():
        return list(database.raw("materials").aggregate(pipeline))


def _systems(database: Database, source: str) -> list[str]:
    with database.guard():
        systems: list[str] = database.raw("materials").distinct(
            "chemsys", {"energy_source": source}
        )
    return systems


def repair(database: Database) -> list[str]:
    """Rewrite what `outdated` finds.

    Returns
    -------
    One line for each kind that was mended; none when everything was up to date.
    """
    faults = outdated(database)
    lines = []
    if faults.searches:
        name_searches(database)
        lines.append(f"{len(faults.searches)} searches for known phases name their source now")
    for hull_id in faults.hull_ids:
        _describe_hull(database, hull_id)
    if faults.hull_ids:
        lines.append(f"{len(faults.hull_ids)} hulls name their reference compounds now")
    if faults.rebuild or faults.hull_ids:
        build_materials(database, sorted(faults.rebuild | faults.hull_ids), float("-inf"))
        lines.append(
            f"{faults.n_materials} crystals were placed on the newest hull of their system"
        )
    return lines


def _describe_hull(database: Database, hull_id: str) -> None:
    """Write which entries of a hull are known phases, and what follows."""
    hull = database.get(HullDoc, hull_id)
    if hull is None:
        return
    members = sorted({name for e in hull.entries for name in (e.entry_id, *e.members)})
    query = {
        "structure_id": {"$in": members},
        "roles": {"$in": ["element", "competing", "imported"]},
    }
    rows = database.rows("structures", query, ["structure_id"])
    references = {row["structure_id"] for row in rows}
    for entry in hull.entries:
        names = dict.fromkeys([entry.entry_id, *entry.members])
        entry.known_as = [name for name in names if name in references]
    elements = hull.chemsys.split("-")
    hull.n_references = n_references(hull.entries, elements)
    hull.systems_without_reference = systems_without_reference(hull.entries, elements)
    hull.searched = searched_sources(database, hull.chemsys)
    database.upsert([hull])
