"""From any document back to the sample that started it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from screening.errors import InputError
from screening.schemas import Stage
from stores.membership import campaigns_of

if TYPE_CHECKING:
    from stores.database import Database

KINDS = {
    "mat": "materials",
    "str": "structures",
    "cand": "candidates",
    "camp": "campaigns",
    "bat": "batches",
    "hull": "hulls",
    "sym": "symmetries",
}
"""Prefix of an identifier -> collection."""
STRUCTURE_FIELDS = (
    "structure_id", "parent_id", "formula", "stage", "role", "roles", "symmetry.symbol", "origins",
    "relaxation.engine", "relaxation.energy_per_atom", "provenance", "dft",
)  # fmt: skip
"""What is told of a structure; reading all of it takes longer."""
DFT_FIELDS = ("uncorrected_energy_per_atom", "corrections", "hubbards", "emulated")
CALCULATION_FIELDS = (
    "name", "run_type", "vasp_version", "incar", "kpoints", "potcars", "converged",
    "energy_per_atom", "directory", "completed", "corrected_errors",
)  # fmt: skip
DFT_PACKAGES = ("atomate2", "custodian", "emmet-core", "pymatgen", "phonopy", "crystal-screening")
SHORTEST = 8
"""Least characters of an abbreviated identifier."""


@dataclass
class LineageNode:
    """One step back.

    Attributes
    ----------
    kind
        material, structure, candidate, batch, ...
    identifier
        Key of the document.
    facts
        What is worth showing.
    parents
        What it was made from.
    """

    kind: str
    identifier: str
    facts: dict[str, Any] = field(default_factory=dict)
    parents: list[LineageNode] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """Return plain nested dictionaries."""
        return {
            "kind": self.kind,
            "id": self.identifier,
            **self.facts,
            "parents": [parent.as_dict() for parent in self.parents],
        }


def get_document(database: Database, identifier: str) -> tuple[str, dict[str, Any]]:
    """Find a document by its identifier, or by an unambiguous beginning of it.

    Returns
    -------
    Name of the collection, and the document with large fields left out.

    Raises
    ------
    InputError
        If there is no such document, or more than one begins like this.
    """
    name = KINDS.get(identifier.split("-", maxsplit=1)[0])
    if name is None:
        raise InputError(
            f"{identifier!r} is not an identifier: they begin with {sorted(KINDS)} and a hyphen"
        )
    key = database.store(name).key
    found = list(database.rows(name, {key: identifier}, limit=1))
    if not found and len(identifier) >= SHORTEST:
        query = {key: {"$gte": identifier, "$lt": identifier + "\x7f"}}
        found = list(database.rows(name, query, sort={key: 1}, limit=2))
    if not found:
        raise InputError(f"there is no {identifier!r} in the collection {name!r}")
    if len(found) > 1:
        raise InputError(f"{identifier!r} is not unique: {found[0][key]}, {found[1][key]}, ...")
    return name, found[0]


def lineage(database: Database, identifier: str) -> LineageNode:
    """Walk from a material, structure or candidate back to the sampled composition.

    Raises
    ------
    InputError
        If there is no such document, or it has no lineage.
    """
    name, row = get_document(database, identifier)
    if name == "materials":
        return _material(database, row)
    if name == "structures":
        return _structure(database, row)
    if name == "candidates":
        return _candidate(database, row)
    raise InputError(f"{identifier!r} is in {name!r}: give a material, structure or candidate")


def _task(row: dict[str, Any]) -> dict[str, Any]:
    """Say how a document was made."""
    provenance = row.get("provenance") or {}
    return {
        "made_by": provenance.get("maker"),
        "task_key": provenance.get("task_key"),
        "checkpoint": _model(provenance.get("checkpoint")),
        "seed": provenance.get("seed"),
        "when": provenance.get("ended"),
        "host": provenance.get("host"),
        "fw_id": provenance.get("fw_id"),
    }


def _model(checkpoint: dict[str, Any] | None) -> str | None:
    """Name a checkpoint, with the beginning of its hash."""
    return f"{checkpoint['name']} {checkpoint['sha256'][:12]}" if checkpoint else None


def _material(database: Database, row: dict[str, Any]) -> LineageNode:
    facts = {
        name: row[name]
        for name in ("formula_pretty", "energy_above_hull", "hull_id", "known", "campaign_ids")
    }
    node = LineageNode("material", row["material_id"], facts | {"when": row.get("last_updated")})
    members = dict.fromkeys([row["structure_id"], *row["found_as"]])
    query = {"structure_id": {"$in": list(members)}}
    structures = database.rows("structures", query, STRUCTURE_FIELDS)
    found = {item["structure_id"]: item for item in structures}
    node.parents = [
        *(_structure(database, found[name]) for name in members if name in found),
        *_phonons(database, row["structure_id"]),
        *_hulls(database, row["hull_id"]),
    ]
    return node


def _hulls(database: Database, hull_id: str) -> list[LineageNode]:
    """Tell which hull a distance to the hull refers to."""
    names = ("chemsys", "energy_source", "pressure", "version", "n_entries")
    rows = database.rows("hulls", {"hull_id": hull_id}, [*names, "provenance"])
    return [
        LineageNode("hull", hull_id, {**{name: row.get(name) for name in names}, **_task(row)})
        for row in rows
    ]


def _phonons(database: Database, structure_id: str) -> list[LineageNode]:
    """Tell where a verdict on dynamic stability comes from."""
    fields = ["structure_id", "verdict", "min_frequency", "engine", "provenance", "dft"]
    rows = database.rows("phonons", {"structure_id": structure_id}, fields)
    return [
        LineageNode(
            "phonon",
            row["structure_id"],
            {
                **{name: row[name] for name in ("verdict", "min_frequency", "engine")},
                **_task(row),
            },
            _calculations(row),
        )
        for row in rows
    ]


def _calculations(row: dict[str, Any]) -> list[LineageNode]:
    """List the VASP calculations behind a structure or phonons."""
    dft = row.get("dft")
    if not dft:
        return []
    packages = (row.get("provenance") or {}).get("packages", {})
    return [
        LineageNode(
            "calculation",
            calculation["uuid"],
            {
                **{name: calculation[name] for name in CALCULATION_FIELDS},
                "settings": dft["settings"],
                "packages": {name: packages.get(name) for name in DFT_PACKAGES},
            },
        )
        for calculation in dft["calculations"]
    ]


def _structure(database: Database, row: dict[str, Any]) -> LineageNode:
    relaxation = row.get("relaxation") or {}
    facts = {
        "formula": row["formula"],
        "stage": row["stage"],
        "role": ", ".join(row.get("roles") or [row["role"]]),
        "space_group": (row.get("symmetry") or {}).get("symbol"),
        "energy_per_atom": relaxation.get("energy_per_atom"),
        "engine": relaxation.get("engine"),
        "origins": [
            {k: origin[k] for k in ("method", "version", "rank", "template", "seed")}
            for origin in row.get("origins", [])
        ],
        **_task(row),
    }
    if row.get("dft"):
        facts |= {name: row["dft"][name] for name in DFT_FIELDS}
    name = row["structure_id"]
    node = LineageNode("structure", name, facts, _calculations(row))
    if row.get("parent_id"):
        query = {"structure_id": row["parent_id"]}
        parent = next(database.rows("structures", query, STRUCTURE_FIELDS), None)
        node.parents += [_structure(database, parent)] if parent else []
    elif row["role"] == "candidate":
        campaigns = campaigns_of(database, [name], [Stage.STRUCTURE.value]).get(name, set())
        query = {"formula": row["formula"], "campaign_id": {"$in": sorted(campaigns)}}
        rows = database.rows("candidates", query, sort={"candidate_id": 1})
        node.parents = [_candidate(database, candidate) for candidate in rows]
        node.parents += _symmetries(database, row)
    return node


def _symmetries(database: Database, row: dict[str, Any]) -> list[LineageNode]:
    """Tell the predicted symmetries that a structure was made with: the last ones before it."""
    before = (row.get("provenance") or {}).get("started")
    query = {"formula": row["formula"], "provenance.ended": {"$lte": before}}
    fields = ["symmetry_id", "space_groups", "model", "provenance"]
    last = {"provenance.ended": -1}
    rows = database.rows("symmetries", query, fields, sort=last, limit=1) if before else ()
    return [
        LineageNode(
            "symmetry",
            guess["symmetry_id"],
            {
                "space_groups": [group["symbol"] for group in guess["space_groups"][:3]],
                **_task(guess),
                "checkpoint": _model(guess["model"]),
            },
        )
        for guess in rows
    ]


def _candidate(database: Database, row: dict[str, Any]) -> LineageNode:
    energy = row.get("energy") or {}
    facts = {
        "formula": row["formula"],
        "campaign_id": row["campaign_id"],
        "rank": row["rank"],
        "validity": (row.get("validity") or {}).get("reason"),
        "formation_energy_per_atom": energy.get("formation_energy_per_atom"),
        "energy_model": _model(energy.get("model")),
        **_task(row),
    }
    node = LineageNode("candidate", row["candidate_id"], facts)
    origin = row["generation"]
    batch = next(
        database.rows(
            "batches",
            {"batch_id": origin["batch_id"]},
            ["batch_id", "method", "number", "seed", "n", "n_samples", "model", "provenance"],
        ),
        None,
    )
    if batch:
        sample = {
            "method": batch["method"],
            "batch": batch["number"],
            "sample": origin["index"],
            "of": batch["n_samples"],
            "generator": _model(batch.get("model")),
            **_task(batch),
        }
        node.parents = [LineageNode("sample", origin["batch_id"], sample)]
    return node
