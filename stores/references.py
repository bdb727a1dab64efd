"""Which sources were searched for the known phases of a chemical system."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from screening.checkpoints import read_card
from screening.errors import ScreeningError
from screening.schemas import ReferenceSource, StructureStage
from stores.queries.documents import subsystems

if TYPE_CHECKING:
    from screening.checkpoints import Card
    from stores.database import Database

REFERENCES = "makers.references.ReferencesMaker"
"""The Maker that searches, as provenance names it."""
SEARCHED = "searched"
"""Field of the summary of a task that searched sources: the system, and what they are."""


def bank_source(card: Card) -> ReferenceSource:
    """Describe a prototype bank as a source of known phases, with its date."""
    origin = ", ".join(dict.fromkeys(source.origin for source in card.data))
    rows = sum(source.rows for source in card.data)
    return ReferenceSource(
        name=f"prototype bank {card.name!r} ({rows:,} crystals of {origin})", date=card.created
    )


def searched_sources(
    database: Database, chemsys: str, stage: StructureStage = StructureStage.RELAXED
) -> list[ReferenceSource]:
    """List the sources that were searched for known phases of a system and its subsystems.

    A DFT hull has only those known phases that were chosen for DFT or imported with energies, so
    that the searches for structures do not speak for it.

    Parameters
    ----------
    database
        The database.
    chemsys
        Chemical system, symbols in alphabetical order.
    stage
        What the hull is made of: relaxed or dft.

    Returns
    -------
    list of ReferenceSource
        Those of finished searches, then every import that has brought a structure of the system.
    """
    if stage is StructureStage.DFT:
        return _imports(database, chemsys, stage)
    sources: dict[str, ReferenceSource] = {}
    name_searches(database)
    query = {
        "provenance.maker": REFERENCES, f"summary.data.{SEARCHED}.chemsys": chemsys,
        "state": "finished",
    }  # fmt: skip
    field = f"summary.data.{SEARCHED}.sources"
    for row in database.rows("tasks", query, [field]):
        for stored in row["summary"]["data"][SEARCHED]["sources"]:
            source = ReferenceSource.model_validate(stored)
            sources[source.name] = source
    return [*sources.values(), *_imports(database, chemsys, StructureStage.GENERATED)]


def _imports(database: Database, chemsys: str, stage: StructureStage) -> list[ReferenceSource]:
    """List the imports with a structure of a system, each with the date of the last one."""
    pipeline: list[dict[str, Any]] = [
        {
            "$match": {
                "chemsys": {"$in": subsystems(chemsys)},
                "stage": stage.value,
                "roles": "imported",
            }
        },
        {"$unwind": "$origins"},
        {"$match": {"origins.role": "imported"}},
        {"$group": {"_id": "$origins.method", "date": {"$max": {"$toDate": "$_id"}}}},
        {"$sort": {"_id": 1}},
    ]
    with database.guard():
        rows = list(database.raw("structures").aggregate(pipeline))
    return [ReferenceSource(name=f"import of {row['_id']}", date=row["date"]) for row in rows]


def unnamed_searches(database: Database) -> list[str]:
    """List the searches of an older version, which do not say what they searched (task_key)."""
    query = {
        "provenance.maker": REFERENCES, f"summary.data.{SEARCHED}.chemsys": None,
        "state": "finished",
    }  # fmt: skip
    return [row["task_key"] for row in database.rows("tasks", query, ["task_key"])]


def name_searches(database: Database) -> None:
    """Write on the searches of an older version what they searched."""
    for key in unnamed_searches(database):
        _name_search(database, key)


def _name_search(database: Database, task_key: str) -> None:
    """Write what a task searched, from its provenance and what it listed: all elements at least."""
    fields = ["summary.ids", "provenance.parameters", "provenance.checkpoint", "provenance.ended"]
    row = next(database.rows("tasks", {"task_key": task_key}, fields))
    query = {"structure_id": {"$in": row["summary"]["ids"]}}
    with database.guard():
        elements = database.raw("structures").distinct("elements", query)
    provenance = row["provenance"]
    sources = [_bank(provenance)] if provenance["parameters"].get("known_phases", True) else []
    value = {"chemsys": "-".join(sorted(elements)), "sources": sources}
    with database.guard():
        database.raw("tasks").update_one(
            {"task_key": task_key}, {"$set": {f"summary.data.{SEARCHED}": value}}
        )


def _bank(provenance: dict[str, Any]) -> dict[str, Any]:
    """Name the bank of a search; one that has changed since is dated by the search."""
    checkpoint = provenance["checkpoint"]
    name, digest = checkpoint["name"], checkpoint["sha256"]
    try:
        card = read_card(name)
    except ScreeningError:
        card = None
    if card is not None and card.sha256 == digest:
        source = bank_source(card)
    else:
        label = f"prototype bank {name!r} (sha256 {digest[:12]})"
        source = ReferenceSource(name=label, date=provenance["ended"])
    return source.model_dump(mode="json")
