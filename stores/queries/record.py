"""What a campaign found, as its own hulls have it: later runs of others do not change it.

Hulls are kept for good. The record of a campaign is made of the newest hull of each system that its
own tasks have drawn, and of the structures that its own tasks have produced.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from screening.schemas import FunnelStage, Stage
from stores.membership import produced_by

if TYPE_CHECKING:
    from stores.database import Database

HULL_FIELDS = ("hull_id", "chemsys", "energy_source", "created")
ENTRY_FIELDS = (
    "entry_id", "formula", "energy_per_atom", "enthalpy_per_atom", "formation_energy_per_atom",
    "energy_above_hull", "members", "reference.energy_above_hull",
    "reference.formation_energy_per_atom",
)  # fmt: skip

STRUCTURE_FIELDS = (
    "structure_id", "formula", "symmetry", "nsites", "relaxation.pressure",
    "relaxation.energy_per_atom", "relaxation.enthalpy_per_atom",
)  # fmt: skip
MATERIAL_FIELDS = (
    "material_id", "structure_id", "found_as", "dynamic_stability", "known", "known_source",
    "method", "hull_id", "hull_created", "n_references", "systems_without_reference",
    "superseded_by",
)  # fmt: skip


@dataclass(frozen=True)
class PlacedCrystal:
    """A crystal of a campaign on the campaign's own hull.

    Attributes
    ----------
    hull_id
        The hull.
    energy_source
        Source of its energies.
    entry
        The crystal's entry there, the lowest structure of it whoever produced that.
    structure_ids
        The campaign's own relaxed structures that are this crystal.
    """

    hull_id: str
    energy_source: str
    entry: dict[str, Any]
    structure_ids: list[str] = field(default_factory=list)

    @property
    def entry_id(self) -> str:
        """The lowest structure."""
        return str(self.entry["entry_id"])

    @property
    def energy_above_hull(self) -> float:
        """Distance of the lowest structure (eV/atom), to the reference compounds or the hull."""
        return float(self.headline["energy_above_hull"])

    @property
    def headline(self) -> dict[str, Any]:
        """Formation energy and distance as in `materials`: on the scale of DFT where it is."""
        return self.entry.get("reference") or self.entry


def own_hulls(database: Database, campaign_id: str) -> dict[str, dict[str, Any]]:
    """Find the newest hull of each system and energy source that a campaign has drawn.

    Returns
    -------
    By hull_id: chemical system, energy source and date.
    """
    names = produced_by(database, campaign_id, Stage.HULL, counted=True)
    rows = database.rows("hulls", {"hull_id": {"$in": names}}, HULL_FIELDS)
    newest: dict[tuple[str, str], dict[str, Any]] = {}
    for row in sorted(rows, key=lambda row: (row["created"], row["hull_id"])):
        newest[row["chemsys"], row["energy_source"]] = row
    return {row["hull_id"]: row for row in newest.values()}


def placed_crystals(database: Database, campaign_id: str) -> list[PlacedCrystal]:
    """List the crystals of a campaign on its own hulls, each once, at any distance."""
    own = set(produced_by(database, campaign_id, Stage.RELAX))
    query = {"hull_id": {"$in": sorted(own_hulls(database, campaign_id))}}
    fields = ["hull_id", "energy_source", *(f"entries.{name}" for name in ENTRY_FIELDS)]
    placed: dict[str, PlacedCrystal] = {}
    for hull in database.rows("hulls", query, fields, sort={"created": 1}, blobs=True):
        for entry in hull["entries"]:
            members = dict.fromkeys([entry["entry_id"], *entry.get("members", [])])
            mine = [name for name in members if name in own]
            if mine:
                placed[entry["entry_id"]] = PlacedCrystal(
                    hull["hull_id"], hull["energy_source"], entry, mine
                )
    return list(placed.values())


def campaign_crystals(database: Database, campaign_id: str) -> list[dict[str, Any]]:
    """List the crystals of a campaign by their own energies, the lowest above its hulls first.

    Returns
    -------
    Rows named as in `materials`. Of structures that are one crystal the lowest of the campaign's
    own counts. `material_id` is that of the structure where the crystal is no material: it is too
    far above the hull.
    """
    placed = placed_crystals(database, campaign_id)
    query = {"structure_id": {"$in": [name for one in placed for name in one.structure_ids]}}
    structures = {
        row["structure_id"]: row for row in database.rows("structures", query, STRUCTURE_FIELDS)
    }
    materials: dict[str, dict[str, Any]] = {}
    for row in database.rows("materials", {"campaign_ids": campaign_id}, MATERIAL_FIELDS):
        materials |= dict.fromkeys([*row["found_as"], row["structure_id"]], row)
    rows = [
        _row(crystal, [structures[name] for name in crystal.structure_ids], materials)
        for crystal in placed
    ]
    return sorted(rows, key=lambda row: (row["energy_above_hull"], row["structure_id"]))


def _row(
    crystal: PlacedCrystal, structures: list[dict[str, Any]], materials: dict[str, dict[str, Any]]
) -> dict[str, Any]:
    """Describe a crystal by the lowest of the campaign's own structures."""
    lowest = min(structures, key=lambda row: (_energy(row["relaxation"]), row["structure_id"]))
    name, entry = lowest["structure_id"], crystal.entry
    pressure = {"pressure": lowest["relaxation"].get("pressure", 0.0)}
    higher = _energy(lowest["relaxation"]) - _energy(entry | pressure)
    material = materials.get(name) or materials.get(crystal.entry_id, {})
    return {
        **{key: material.get(key) for key in MATERIAL_FIELDS},
        "material_id": material.get("material_id", name),
        "structure_id": name,
        "formula_pretty": lowest["formula"],
        "symmetry": lowest["symmetry"],
        "nsites": lowest["nsites"],
        "energy_source": crystal.energy_source,
        "formation_energy_per_atom": crystal.headline["formation_energy_per_atom"] + higher,
        "energy_above_hull": crystal.energy_above_hull + higher,
        **pressure,
    }


def _energy(row: dict[str, Any]) -> float:
    """Read what ranks a structure or an entry (eV/atom): energy, or at a pressure enthalpy."""
    name = "enthalpy_per_atom" if row.get("pressure") else "energy_per_atom"
    return float(row[name])


def campaign_window(database: Database, campaign_id: str) -> float:
    """Read the largest distance to the hull (eV/atom) that a campaign counts as a discovery."""
    query = {"campaign_id": campaign_id}
    for row in database.rows("campaigns", query, ["config.hull.max_above_hull"], limit=1):
        limit = row.get("config", {}).get("hull", {}).get("max_above_hull")
        return float("inf") if limit is None else float(limit)
    return float("inf")


def hull_stage(database: Database, campaign_id: str) -> FunnelStage | None:
    """Count a campaign's own structures at the stage of the hulls; None before there is a hull.

    Structures of a system without a hull stop here, for the reason that its task gave.
    """
    if not own_hulls(database, campaign_id):
        return None
    limit = campaign_window(database, campaign_id)
    placed = placed_crystals(database, campaign_id)
    near = sum(crystal.energy_above_hull <= limit for crystal in placed)
    n_structures = sum(len(crystal.structure_ids) for crystal in placed)
    without = _without_hull(database, campaign_id, n_structures)
    reasons = {
        "duplicate": n_structures - len(placed),
        f"above {limit} eV/atom": len(placed) - near,
        **without,
    }
    return FunnelStage(
        n_in=n_structures + sum(without.values()),
        n_out=near,
        unit="structures",
        reasons={reason: n for reason, n in reasons.items() if n},
    )


def reasons_without_hull(database: Database, campaign_id: str) -> list[str]:
    """Say why systems of a campaign have no hull: which elements have no energy."""
    query = {
        "campaign_ids": campaign_id,
        "stage": Stage.HULL.value,
        "state": "finished",
        "summary.counted": True,
        "summary.ids": [],
    }
    rows = database.rows("tasks", query, ["summary.data.reason"])
    return sorted({row["summary"]["data"]["reason"] for row in rows})


def _without_hull(database: Database, campaign_id: str, n_placed: int) -> dict[str, int]:
    """Count the usable structures of systems that have no hull, by the reason of the tasks."""
    reasons = reasons_without_hull(database, campaign_id)
    if not reasons:
        return {}
    relaxed = produced_by(database, campaign_id, Stage.RELAX)
    usable = {"structure_id": {"$in": relaxed}, "state": "ok"}
    with database.guard():
        n_usable = database.raw("structures").count_documents(usable)
    return {"; ".join(reasons): n_usable - n_placed}
