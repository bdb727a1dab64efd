"""What DFT says of the crystals of a campaign, beside what the potential said."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from screening.schemas import HullDoc, PhononDoc, StructureDoc
from screening.validation import Comparison, Opinion, Thresholds, compare
from stores.queries.criteria import any_of

if TYPE_CHECKING:
    from screening.schemas import HullEntry
    from stores import Database


@dataclass(frozen=True)
class Validations:
    """All comparisons of a campaign.

    Attributes
    ----------
    rows
        The comparisons, by formula.
    sources
        Energy sources of DFT.
    thresholds
        From where on a difference is a surprise.
    lost
        Calculations that left no result: structure, and why.
    hulls
        Hulls of DFT energies.
    core_hours, estimated_core_hours
        Used, and estimated before.
    emulated
        Whether an emulator of VASP answered.
    """

    rows: list[Comparison]
    sources: list[str]
    thresholds: Thresholds
    lost: list[str]
    hulls: list[HullDoc]
    core_hours: float
    estimated_core_hours: float
    emulated: bool


def validations(database: Database, campaign_id: str) -> Validations | None:
    """Compare the potential with DFT on each candidate of a campaign that was validated.

    Returns
    -------
    None where the campaign has no validation.
    """
    query: dict[str, Any] = {"campaign_ids": campaign_id, "stage": "validation"}
    tasks = list(database.rows("tasks", query, ["state", "summary", "attempts"]))
    if not tasks:
        return None
    names = [name for task in tasks for name in (task["summary"] or {}).get("ids", [])]
    documents = list(
        database.find(
            StructureDoc,
            {**any_of("structure_id", names), "role": "candidate", "stage": "dft"},
            blobs=False,
        )
    )
    query = any_of("hull_id", [name for name in names if name.startswith("hull-")])
    hulls = _newest(list(database.find(HullDoc, query, sort={"created": 1})))
    thresholds = Thresholds()
    rows = [_row(database, document, hulls, thresholds) for document in documents]
    done = [one for document in documents for one in _dft(database, document)]
    return Validations(
        rows=sorted(rows, key=lambda row: row.dft.structure.formula),
        sources=sorted(
            {row.dft.structure.relaxation.engine for row in rows if row.dft.structure.relaxation}
        ),
        thresholds=thresholds,
        lost=[task["attempts"][-1]["error"] for task in tasks if task["state"] == "failed"],
        hulls=hulls,
        core_hours=sum(dft.core_hours for dft in done),
        estimated_core_hours=sum(dft.estimated_core_hours or 0.0 for dft in done),
        emulated=any(dft.emulated for dft in done),
    )


def _newest(hulls: list[HullDoc]) -> list[HullDoc]:
    """Keep the last hull of each system and source."""
    return list({(hull.chemsys, hull.energy_source): hull for hull in hulls}.values())


def _dft(database: Database, document: StructureDoc) -> list[Any]:
    phonon = database.get(PhononDoc, document.structure_id, blobs=False)
    return [one.dft for one in (document, phonon) if one is not None and one.dft is not None]


def _row(
    database: Database, document: StructureDoc, hulls: list[HullDoc], thresholds: Thresholds
) -> Comparison:
    parent = database.get(StructureDoc, document.parent_id or "", blobs=False)
    assert parent is not None, document.structure_id
    source = parent.relaxation.engine if parent.relaxation else None
    theirs = {"entries.members": parent.structure_id, "energy_source": source}
    newest = database.find(HullDoc, theirs, sort={"created": -1}, limit=1)
    return compare(
        _opinion(database, parent, list(newest)),
        _opinion(database, document, hulls),
        thresholds,
    )


def _opinion(database: Database, document: StructureDoc, hulls: list[HullDoc]) -> Opinion:
    entry = _entry(document.structure_id, hulls)
    phonon = database.get(
        PhononDoc, entry.entry_id if entry else document.structure_id, blobs=False
    )
    return Opinion(document, entry, phonon)


def _entry(structure_id: str, hulls: list[HullDoc]) -> HullEntry | None:
    """Find the place of a structure, or of the crystal that it is a duplicate of."""
    return next(
        (entry for hull in hulls for entry in hull.entries if structure_id in entry.members), None
    )
