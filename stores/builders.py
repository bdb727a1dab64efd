"""The maggma builder of `materials`: one document per crystal that a campaign found."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from maggma.core import Builder

from screening.identity import make_id
from screening.schemas import MaterialDoc

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stores.database import Database

STABLE = 1e-6
"""Largest distance to the hull of a stable entry (eV/atom): rounding only."""
_STRUCTURE_FIELDS = [
    "structure_id", "formula", "chemsys", "elements", "nelements", "nsites", "volume_per_atom",
    "density", "symmetry", "structure", "origins", "role", "relaxation.engine",
    "dft.calculations.uuid",
]  # fmt: skip


class MaterialsBuilder(Builder):
    """Joins hulls, structures, phonons and candidates into `materials`.

    Reading and writing happen in `get_items` and `update_targets`; `process_item` is pure.

    Parameters
    ----------
    database
        The database.
    hull_ids
        Hulls whose crystals are built.
    max_above_hull
        Crystals farther above the hull (eV/atom) are left out.
    """

    def __init__(
        self, database: Database, hull_ids: list[str], max_above_hull: float, **kwargs: Any
    ) -> None:
        self.database = database
        self.hull_ids = hull_ids
        self.max_above_hull = max_above_hull
        names = ("hulls", "structures", "phonons", "candidates")
        super().__init__(
            sources=[database.store(name) for name in names],
            targets=[database.store("materials")],
            chunk_size=200,
            **kwargs,
        )

    def connect(self) -> None:
        """Do nothing: the stores share the connection of the database."""

    def finalize(self) -> None:
        """Leave the connection open for the others."""

    def build(self) -> int:
        """Build everything in this process, without the logging that maggma's `run` sets up.

        Returns
        -------
        Number of documents.
        """
        items = [made for item in self.get_items() if (made := self.process_item(item))]
        self.update_targets(items)
        return len(items)

    def get_items(self) -> Iterator[dict[str, Any]]:
        """Yield one entry of a hull with all that is known about its crystal."""
        hulls, structures, phonons, candidates = self.sources
        for hull in hulls.query({"hull_id": {"$in": self.hull_ids}}):
            entries = [
                entry
                for entry in hull["entries"]
                if entry["energy_above_hull"] <= self.max_above_hull
            ]
            wanted = [member for entry in entries for member in entry["members"]]
            found = {
                row["structure_id"]: row
                for row in structures.query({"structure_id": {"$in": wanted}}, [*_STRUCTURE_FIELDS])
            }
            verdicts = {
                row["structure_id"]: row
                for row in phonons.query(
                    {"structure_id": {"$in": wanted}},
                    ["structure_id", "verdict", "min_frequency", "dft.calculations.uuid"],
                )
            }
            compositions = _by_formula(candidates, [entry["formula"] for entry in entries])
            names = {entry["entry_id"]: entry["formula"] for entry in hull["entries"]}
            for entry in entries:
                yield {
                    "hull": {
                        "pressure": hull.get("pressure", 0.0),
                        **{key: hull[key] for key in ("hull_id", "created", "energy_source")},
                    },
                    "entry": entry,
                    "names": names,
                    "members": [found[name] for name in entry["members"] if name in found],
                    "phonon": verdicts.get(entry["entry_id"]),
                    "candidates": compositions.get(entry["formula"], []),
                }

    def process_item(self, item: dict[str, Any]) -> dict[str, Any] | None:
        """Make the document of one entry; None when no candidate is this crystal."""
        entry, hull, phonon = item["entry"], item["hull"], item["phonon"]
        members = {row["structure_id"]: row for row in item["members"]}
        best = members.get(entry["entry_id"])
        found = [row for row in item["members"] if row["role"] == "candidate"]
        if best is None or not found:
            return None
        known = [name for name, row in members.items() if row["role"] in {"competing", "imported"}]
        origins = sorted(
            (origin for row in found for origin in row["origins"]),
            key=lambda origin: (origin["rank"], origin["method"]),
        )
        document = MaterialDoc(
            material_id=make_id("mat", entry["entry_id"]),
            structure_id=entry["entry_id"],
            found_as=[row["structure_id"] for row in found],
            campaign_ids=sorted({row["campaign_id"] for row in item["candidates"]}),
            candidate_ids=sorted({row["candidate_id"] for row in item["candidates"]}),
            volume=best["volume_per_atom"] * best["nsites"],
            energy_source=hull["energy_source"],
            pressure=hull["pressure"],
            enthalpy_per_atom=entry.get("enthalpy_per_atom"),
            is_stable=entry["energy_above_hull"] <= STABLE,
            hull_id=hull["hull_id"],
            hull_created=hull["created"],
            decomposes_to=_formulas(entry["decomposition"], item["names"]),
            dynamic_stability=phonon["verdict"] if phonon else None,
            min_frequency=phonon["min_frequency"] if phonon else None,
            known=bool(known),
            known_source=known[0] if known else "known phases on the hull",
            predicted_formation_energy_per_atom=_predicted(item["candidates"]),
            task_ids=[*_task_ids(best), *_task_ids(phonon)],
            origins=origins,
            method=origins[0]["method"] if origins else "unknown",
            **_copied(entry, best),
        )
        return document.model_dump()

    def update_targets(self, items: list[dict[str, Any]]) -> None:
        """Write the documents; one that did not change keeps its date."""
        target = self.targets[0]
        keys = [item["material_id"] for item in items]
        old = {row["material_id"]: row for row in target.query({"material_id": {"$in": keys}})}
        changed = [item for item in items if _differs(item, old.get(item["material_id"]))]
        if changed:
            target.update(changed)


def _by_formula(candidates: Any, formulas: list[str]) -> dict[str, list[dict[str, Any]]]:
    """Group candidates of all campaigns by formula."""
    groups: dict[str, list[dict[str, Any]]] = {}
    fields = ["candidate_id", "campaign_id", "formula", "energy.formation_energy_per_atom"]
    for row in candidates.query({"formula": {"$in": sorted(set(formulas))}}, fields):
        groups.setdefault(row["formula"], []).append(row)
    return groups


def _copied(entry: dict[str, Any], best: dict[str, Any]) -> dict[str, Any]:
    """Fields that are taken over as they are."""
    from pymatgen.core import Composition

    names = ("chemsys", "elements", "nelements", "nsites", "density", "symmetry", "structure")
    energies = ("energy_per_atom", "formation_energy_per_atom", "energy_above_hull")
    return {
        "formula_pretty": best["formula"],
        "formula_anonymous": Composition(best["formula"]).anonymized_formula,
        **{name: best[name] for name in names},
        **{name: entry[name] for name in energies},
    }


def _formulas(decomposition: dict[str, float], names: dict[str, str]) -> dict[str, float]:
    """Name the competing phases by formula; equal formulas are added up."""
    result: dict[str, float] = {}
    for entry_id, fraction in decomposition.items():
        formula = names.get(entry_id, entry_id)
        result[formula] = result.get(formula, 0.0) + fraction
    return result


def _task_ids(row: dict[str, Any] | None) -> list[str]:
    """List the DFT calculations behind a structure or its phonons."""
    dft = (row or {}).get("dft") or {}
    return [calculation["uuid"] for calculation in dft.get("calculations", [])]


def _predicted(candidates: list[dict[str, Any]]) -> float | None:
    """Return what the composition model said of this formula."""
    for row in candidates:
        energy = row.get("energy")
        if energy:
            return float(energy["formation_energy_per_atom"])
    return None


def _differs(new: dict[str, Any], old: dict[str, Any] | None) -> bool:
    ignored = {"last_updated", "_id"}
    return old is None or any(old.get(key) != new[key] for key in new.keys() - ignored)
