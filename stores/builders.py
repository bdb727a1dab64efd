"""The maggma builder of `materials`: one document per crystal that a campaign found."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from maggma.core import Builder

from screening.hull.coverage import n_references, systems_without_reference
from screening.hull.standing import is_stable, material_id, revise
from screening.schemas import HullDoc, MaterialDoc, OriginDoc, StructureRole, utc_now
from screening.schemas.material import SelfConsistentPlace
from screening.schemas.structure import found_by
from stores.membership import campaigns_of
from stores.optimade import build_optimade
from stores.standing import crystals_of, known_fields, newest_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from screening.hull.standing import Standing
    from screening.schemas.hull import HullEntry, ReferenceSource
    from stores.database import Database

_STRUCTURE_FIELDS = [
    "structure_id", "formula", "chemsys", "elements", "nelements", "nsites", "volume_per_atom",
    "density", "symmetry", "structure", "origins", "roles", "relaxation.engine", "parent_id",
    "stage", "dft.calculations.uuid",
]  # fmt: skip
_PHONON_FIELDS = ["structure_id", "verdict", "min_frequency", "dft.calculations.uuid"]
_REPLACED = (
    "formation_energy_per_atom", "energy_above_hull", "is_stable", "hull_id", "hull_created",
    "decomposes_to", "superseded_by", "reference", "reference_source", "self_consistent",
)  # fmt: skip
"""Fields that a newer hull changes of a material that is no entry of its own any more."""


class MaterialsBuilder(Builder):
    """Joins hulls, structures, phonons and candidates into `materials`.

    Each chemical system is described by the newest hull that holds it, whichever hulls are named,
    and every material of it is written again: builders in any order leave the same documents.
    Reading and writing happen in `get_items` and `update_targets`; `process_item` is pure.

    Parameters
    ----------
    database
        The database.
    hull_ids
        Hulls whose chemical systems are built.
    max_above_hull
        Crystals farther above the hull (eV/atom) do not become materials; those that are, stay.
    """

    def __init__(
        self, database: Database, hull_ids: list[str], max_above_hull: float, **kwargs: Any
    ) -> None:
        self.database = database
        self.hull_ids = hull_ids
        self.max_above_hull = max_above_hull
        self._standings: dict[str, dict[str, Any]] = {}
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

        A hull that another process has written meanwhile is taken into account: whoever ends last
        has seen it.

        Returns
        -------
        Number of documents.
        """
        while True:
            plan = newest_of(self.database, self.hull_ids)
            items = [document for item in self.get_items() if (document := self.process_item(item))]
            self.update_targets(items)
            if newest_of(self.database, self.hull_ids) == plan:
                return len(items)

    def get_items(self) -> Iterator[dict[str, Any]]:
        """Yield one entry of a hull with all that is known about its crystal."""
        for hull_id, systems in newest_of(self.database, self.hull_ids).items():
            for hull in self.sources[0].query({"hull_id": hull_id}):
                yield from self.items_of(HullDoc.model_validate(_without_id(hull)), systems)

    def items_of(self, hull: HullDoc, systems: set[str]) -> Iterator[dict[str, Any]]:
        """Yield the entries of one hull that belong to some chemical systems."""
        _, structures, phonons, candidates = self.sources
        described = crystals_of(self.database, hull, systems)
        revision = revise(hull, systems, list(described.values()), self.max_above_hull)
        names = {entry.entry_id: entry.formula for entry in hull.entries}
        for key, crystal in described.items():
            standing = revision.standings.get(crystal.structure_id)
            if standing is not None:
                self._standings[key] = _replaced(standing, hull, names)
        members = [member for entry in revision.entries for member in _members(entry)]
        query = {"structure_id": {"$in": members}}
        rows = {row["structure_id"]: row for row in structures.query(query, [*_STRUCTURE_FIELDS])}
        verdicts = {row["structure_id"]: row for row in phonons.query(query, [*_PHONON_FIELDS])}
        compositions = _by_formula(candidates, [entry.formula for entry in revision.entries])
        campaigns = _campaigns(self.database, rows.values())
        ground = _grounds(hull, {"-".join(sorted(e.composition)) for e in revision.entries})
        for entry in revision.entries:
            yield {
                "hull": hull,
                "entry": entry,
                "names": names,
                "members": [rows[name] for name in _members(entry) if name in rows],
                "phonon": next((verdicts[n] for n in _members(entry) if n in verdicts), None),
                "candidates": compositions.get(entry.formula, []),
                "campaigns": campaigns,
                "ground": ground["-".join(sorted(entry.composition))],
            }

    def process_item(self, item: dict[str, Any]) -> dict[str, Any] | None:
        """Make the document of one entry; None when no candidate is this crystal."""
        entry, hull, phonon = item["entry"], item["hull"], item["phonon"]
        members = {row["structure_id"]: row for row in item["members"]}
        best = members.get(entry.entry_id)
        own = item.get("own")
        proposed = [
            row
            for row in item["members"]
            if "candidate" in row["roles"] and (own is None or row["structure_id"] in own)
        ]
        if best is None or not proposed:
            return None
        references = [name for name, row in members.items() if set(row["roles"]) - {"candidate"}]
        known_as = item.get("known_as", references)
        origins = _proposals(proposed)
        campaigns = {name for row in proposed for name in item["campaigns"][row["structure_id"]]}
        candidates = [row for row in item["candidates"] if row["campaign_id"] in campaigns]
        document = MaterialDoc(
            material_id=material_id(entry.entry_id),
            structure_id=entry.entry_id,
            found_as=[row["structure_id"] for row in proposed],
            campaign_ids=sorted(campaigns),
            candidate_ids=sorted({row["candidate_id"] for row in candidates}),
            volume=best["volume_per_atom"] * best["nsites"],
            energy_source=hull.energy_source,
            pressure=hull.pressure,
            enthalpy_per_atom=entry.enthalpy_per_atom,
            hull_id=hull.hull_id,
            hull_created=hull.created,
            dynamic_stability=phonon["verdict"] if phonon else None,
            min_frequency=phonon["min_frequency"] if phonon else None,
            phonon_of=phonon["structure_id"] if phonon else None,
            predicted_formation_energy_per_atom=_predicted(candidates or item["candidates"]),
            task_ids=[*_task_ids(best), *_task_ids(phonon)],
            origins=origins,
            method=found_by(origins) or "unknown",
            **item["ground"] | _place(entry, hull, item["names"]),
            **known_fields(known_as, [_answered(source, entry) for source in hull.searched]),
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
        self._write_standings()

    def _write_standings(self) -> None:
        """Set what the newest hull says of materials that are no entry of their own any more."""
        standings, self._standings = self._standings, {}
        query = {"material_id": {"$in": list(standings)}}
        fields = ["material_id", *_REPLACED]
        for row in list(self.database.rows("materials", query, fields)):
            if not _differs(standings[row["material_id"]], row):
                del standings[row["material_id"]]
        now = utc_now()
        self.database.patch(
            MaterialDoc, {key: {**row, "last_updated": now} for key, row in standings.items()}
        )


def build_materials(database: Database, hull_ids: list[str], max_above_hull: float) -> None:
    """Build `materials` of the systems of these hulls, and what OPTIMADE serves of them."""
    with database.guard():
        MaterialsBuilder(database, hull_ids, max_above_hull).build()
    build_optimade(database)


def _without_id(row: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in row.items() if key != "_id"}


def _campaigns(database: Database, rows: Iterable[dict[str, Any]]) -> dict[str, set[str]]:
    """Find the campaigns that have produced each structure; by DFT: also what it was made from."""
    made_from = {
        row["structure_id"]: [row["structure_id"]]
        + ([row["parent_id"]] if row["stage"] == "dft" and row["parent_id"] else [])
        for row in rows
    }
    campaigns = campaigns_of(database, (name for names in made_from.values() for name in names))
    return {
        name: {one for parent in names for one in campaigns.get(parent, ())}
        for name, names in made_from.items()
    }


def _proposals(rows: list[dict[str, Any]]) -> list[OriginDoc]:
    """List the proposals that led to some structures, each once, the best rank first."""
    origins = [OriginDoc.model_validate(origin) for row in rows for origin in row["origins"]]
    proposals = [origin for origin in origins if origin.role == StructureRole.CANDIDATE]
    distinct = [origin for n, origin in enumerate(proposals) if origin not in proposals[:n]]
    return sorted(distinct, key=lambda origin: (origin.rank, origin.method))


def _by_formula(candidates: Any, formulas: list[str]) -> dict[str, list[dict[str, Any]]]:
    """Group candidates of all campaigns by formula."""
    groups: dict[str, list[dict[str, Any]]] = {}
    fields = ["candidate_id", "campaign_id", "formula", "energy.formation_energy_per_atom"]
    query = {"formula": {"$in": sorted(set(formulas))}}
    for row in candidates.query(query, fields, sort={"candidate_id": 1}):
        groups.setdefault(row["formula"], []).append(row)
    return groups


def _members(entry: HullEntry) -> list[str]:
    """List the structures that are a crystal, the lowest first."""
    return list(dict.fromkeys([entry.entry_id, *entry.members]))


def _replaced(standing: Standing, hull: HullDoc, names: dict[str, str]) -> dict[str, Any]:
    """Fields of a material that is no entry of its own of the newest hull."""
    place = _place(standing, hull, names)
    return {name: place.get(name) for name in _REPLACED} | {
        "is_stable": False,
        "hull_id": hull.hull_id,
        "hull_created": hull.created,
        "superseded_by": standing.superseded_by,
    }


def _place(crystal: HullEntry | Standing, hull: HullDoc, names: dict[str, str]) -> dict[str, Any]:
    """Say where a crystal is: against reference compounds if they are there, else on the hull."""
    reference = crystal.reference
    alone = SelfConsistentPlace(
        formation_energy_per_atom=crystal.formation_energy_per_atom,
        energy_above_hull=crystal.energy_above_hull,
        is_stable=is_stable(crystal.energy_above_hull),
        decomposes_to=_formulas(crystal.decomposition, names),
    )
    place: dict[str, Any] = {"self_consistent": alone.model_dump(), "reference": None,
                             "reference_source": None, **alone.model_dump()}  # fmt: skip
    if reference is None:
        return place
    return place | {
        "reference": reference.model_dump(),
        "reference_source": hull.reference_source,
        "formation_energy_per_atom": reference.formation_energy_per_atom,
        "energy_above_hull": reference.energy_above_hull,
        "is_stable": is_stable(reference.energy_above_hull),
        "decomposes_to": reference.decomposes_to,
        "n_references": reference.n_references,
        "systems_without_reference": reference.systems_without_reference,
    }


def _grounds(hull: HullDoc, systems: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Say for each chemical system which references its distances rest on."""
    return {
        system: {
            "n_references": n_references(hull.entries, system.split("-")),
            "systems_without_reference": systems_without_reference(hull.entries, system.split("-")),
        }
        for system in systems
    }


def _answered(source: ReferenceSource, entry: HullEntry) -> ReferenceSource:
    """Write on a source of compositions whether it lists that of a crystal."""
    if source.scope == "crystals" or entry.reference is None:
        return source
    listed = entry.reference.composition_known
    identifiers = [entry.formula] if listed else []
    return source.model_copy(update={"matches": listed, "identifiers": identifiers})


def _copied(entry: HullEntry, best: dict[str, Any]) -> dict[str, Any]:
    """Fields that are taken over as they are."""
    from pymatgen.core import Composition

    names = ("chemsys", "elements", "nelements", "nsites", "density", "symmetry", "structure")
    return {
        "formula_pretty": best["formula"],
        "formula_anonymous": Composition(best["formula"]).anonymized_formula,
        **{name: best[name] for name in names},
        "energy_per_atom": entry.energy_per_atom,
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
