"""What became of the structures that each method proposed, in one campaign."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from screening.hull.standing import STABLE
from screening.schemas import Stage, State
from stores.queries.documents import CURRENT
from stores.queries.record import campaign_window, own_hulls, placed_crystals

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stores.database import Database

ORIGINS = ("origins.method", "origins.role")
CHUNK = 10_000
"""Structures that are asked for at a time."""


class Fate(StrEnum):
    """Where a proposed structure ended, the best first."""

    STABLE = "on the hull"
    NEAR = "near the hull"
    ABOVE = "far above the hull"
    OPEN = "no hull yet"
    FAILED = "relaxation failed"


@dataclass
class Fates:
    """Relaxed structures of a campaign, by the methods that proposed them.

    Attributes
    ----------
    structures
        Methods, joined by a plus where several proposed the same structure -> fate -> structures.
    crystals
        Fate -> crystals: several structures may have relaxed to one.
    """

    structures: dict[str, Counter[Fate]] = field(default_factory=dict)
    crystals: Counter[Fate] = field(default_factory=Counter)


def structure_fates(database: Database, campaign_id: str) -> Fates:
    """Follow each structure that a campaign relaxed to its place on the hull.

    All together are what entered the stage relax of the funnel; those that failed are what it
    lost. The distance to the hull is the crystal's own, whichever of its structures is the lowest.
    """
    fates = Fates()
    ids = _relaxed(database, campaign_id)
    if not ids:
        return fates
    window = campaign_window(database, campaign_id)
    ends, compared = _crystals(database, campaign_id, window), _has_hull(database, campaign_id)
    members: dict[Fate, set[str]] = {}
    rows = list(_rows(database, ids))
    # a saddle that was relaxed again is a crystal, but not where a structure ended: its child is
    left_again = {row.get("parent_id") for row in rows}
    for row in rows:
        name = row["structure_id"]
        if row.get("state") == State.FAILED:
            fate = Fate.FAILED
        elif name in ends:
            fate, crystal = ends[name]
            members.setdefault(fate, set()).add(crystal)
        else:
            fate = Fate.ABOVE if compared else Fate.OPEN
        if name in left_again:
            continue
        methods = sorted(
            {
                origin["method"]
                for origin in row.get("origins", [])
                if origin.get("role", "candidate") == "candidate"
            }
        )
        counts = fates.structures.setdefault(" + ".join(methods) or "unknown", Counter())
        counts[fate] += ids[name]
    fates.structures = dict(sorted(fates.structures.items(), key=lambda item: -item[1].total()))
    fates.crystals = Counter({fate: len(found) for fate, found in members.items()})
    return fates


def _relaxed(database: Database, campaign_id: str) -> Counter[str]:
    """List what the counted relaxations of a campaign left, as the funnel counts."""
    query = {
        "campaign_ids": campaign_id,
        "stage": Stage.RELAX.value,
        "state": "finished",
        "summary.counted": True,
    }
    with database.guard():
        tasks = list(database.raw("tasks").find(query, {"summary.ids": 1}))
    return Counter(name for task in tasks for name in task["summary"]["ids"])


def _has_hull(database: Database, campaign_id: str) -> bool:
    """Tell whether crystals of the campaign were compared."""
    query = {"campaign_ids": campaign_id, "stage": Stage.HULL.value, "state": "finished"}
    with database.guard():
        return database.raw("tasks").find_one(query, {"_id": 1}) is not None


def _crystals(database: Database, campaign_id: str, window: float) -> dict[str, tuple[Fate, str]]:
    """Map structures to the fate and identifier of the crystal that they are, on its own hulls."""
    if not own_hulls(database, campaign_id):
        return _materials(database, campaign_id, window)
    return {
        name: (_fate(crystal.energy_above_hull, window), crystal.entry_id)
        for crystal in placed_crystals(database, campaign_id)
        for name in crystal.structure_ids
    }


def _fate(distance: float, window: float) -> Fate:
    """Name the place of a crystal at a distance to the hull (eV/atom)."""
    return Fate.STABLE if distance <= STABLE else Fate.NEAR if distance <= window else Fate.ABOVE


def _materials(database: Database, campaign_id: str, window: float) -> dict[str, tuple[Fate, str]]:
    """Map structures to fates by `materials`, where the hulls of the campaign are gone."""
    fields = ["material_id", "structure_id", "found_as", "energy_above_hull"]
    query = {"campaign_ids": campaign_id, **CURRENT}
    rows = database.rows("materials", query, fields, sort={"hull_created": 1})
    ends = {}
    for row in rows:
        fate = _fate(row["energy_above_hull"], window)
        for name in (row["structure_id"], *row["found_as"]):
            ends[name] = (fate, row["material_id"])
    return ends


def _rows(database: Database, ids: Counter[str]) -> Iterator[dict[str, Any]]:
    names = list(ids)
    for start in range(0, len(names), CHUNK):
        query = {"structure_id": {"$in": names[start : start + CHUNK]}}
        yield from database.rows(
            "structures", query, ["structure_id", "parent_id", "state", *ORIGINS]
        )
