"""The collections: which document, which key, which indexes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from screening.schemas import (
    BatchDoc,
    CampaignDoc,
    CandidateDoc,
    Document,
    EnergyBatchDoc,
    FormulaListDoc,
    HullDoc,
    MaterialDoc,
    PhononDoc,
    StabilityDoc,
    StructureDoc,
    SymmetryDoc,
    TaskRecord,
    VerdictBatchDoc,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

Index = tuple[str, ...]
"""Fields of an ascending compound index; a leading minus means descending."""


@dataclass(frozen=True)
class Collection:
    """One collection.

    Attributes
    ----------
    name
        Name in MongoDB.
    schema
        Document class.
    key
        Unique field.
    indexes
        Further indexes; those that end on the key serve keyset paging.
    """

    name: str
    schema: type[Document]
    key: str
    indexes: tuple[Index, ...] = field(default=())


_FILTERED = (
    "chemsys", "energy_above_hull", "formation_energy_per_atom", "nsites", "nelements",
    "symmetry.number", "dynamic_stability", "is_stable", "known", "method", "superseded_by",
    "pressure", "energy_source",
)  # fmt: skip
"""What listings of materials are filtered by: at the end of an index, it is judged on the keys of
the index, and only crystals that match are read."""


_ALL = (
    Collection("campaigns", CampaignDoc, "campaign_id", (("-updated", "campaign_id"),)),
    Collection(
        "tasks",
        TaskRecord,
        "task_key",
        (
            ("campaign_ids", "stage", "state"),
            ("state", "heartbeat"),
            ("summary.ids",),
            ("provenance.maker", "summary.data.searched.chemsys"),
        ),
    ),
    Collection("batches", BatchDoc, "batch_id"),
    Collection("formula_lists", FormulaListDoc, "chunk_id", (("list_id", "position"),)),
    Collection("verdicts", VerdictBatchDoc, "verdict_id", (("batch_id",),)),
    Collection("energies", EnergyBatchDoc, "energy_id", (("batch_id",),)),
    Collection(
        "candidates",
        CandidateDoc,
        "candidate_id",
        (
            ("campaign_id", "rank", "candidate_id"),
            ("campaign_id", "formula"),
            ("formula", "candidate_id"),
            ("chemsys", "candidate_id"),
            ("elements", "candidate_id"),
            ("energy.formation_energy_per_atom", "candidate_id"),
            ("rank", "candidate_id"),
        ),
    ),
    Collection("symmetries", SymmetryDoc, "symmetry_id", (("formula",),)),
    Collection(
        "structures",
        StructureDoc,
        "structure_id",
        (
            ("parent_id",),
            ("formula", "stage", "structure_id"),
            ("chemsys", "stage", "relaxation.engine", "structure_id"),
            ("elements", "structure_id"),
            ("roles", "stage", "structure_id"),
            ("provenance.task_key",),
        ),
    ),
    Collection("phonons", PhononDoc, "structure_id", (("verdict", "structure_id"),)),
    Collection(
        "hulls",
        HullDoc,
        "hull_id",
        (
            ("chemsys", "energy_source", "version"),
            ("energy_source", "chemsys", "created", "hull_id"),
            ("entries.members", "-created"),
        ),
    ),
    Collection(
        "stabilities",
        StabilityDoc,
        "stability_id",
        (("formula", "-probability.on_hull"), ("structure_id",), ("provenance.task_key",)),
    ),
    Collection(
        "materials",
        MaterialDoc,
        "material_id",
        (
            ("energy_above_hull", "material_id", *_FILTERED),
            ("formation_energy_per_atom", "material_id", *_FILTERED),
            ("formula_pretty", "material_id", *_FILTERED),
            ("nsites", "material_id", *_FILTERED),
            ("symmetry.number", "material_id", *_FILTERED),
            ("density", "material_id", *_FILTERED),
            ("last_updated", "material_id", *_FILTERED),
            ("elements", "energy_above_hull", "material_id", *_FILTERED),
            ("campaign_ids", "energy_above_hull", "material_id", *_FILTERED),
            ("chemsys", "energy_above_hull", "material_id"),
            ("formula_pretty", "energy_above_hull", "material_id"),
            ("symmetry.number", "energy_above_hull", "material_id"),
            ("dynamic_stability", "energy_above_hull", "material_id"),
            ("structure_id",),
            ("candidate_ids",),
        ),
    ),
)

COLLECTIONS: Mapping[str, Collection] = {collection.name: collection for collection in _ALL}
BY_SCHEMA: Mapping[type[Document], Collection] = {c.schema: c for c in _ALL}
JOB_INDEXES: Mapping[str, tuple[Index, ...]] = {"outputs": (("uuid", "-index"),)}
"""jobflow makes no index of its own, and every reference that it resolves looks a job up."""
OPTIMADE_INDEXES: tuple[Index, ...] = (
    ("elements",),
    ("nelements",),
    ("nsites",),
    ("chemical_formula_reduced",),
    ("chemical_formula_anonymous",),
    ("space_group_it_number",),
    ("last_modified",),
    ("kind", "last_modified"),
    ("source",),
    ("energy_above_hull",),
    ("formation_energy_per_atom",),
)
"""Of the collection `optimade`, whose key is `id`; see `stores.optimade`."""


def index_keys(index: Index) -> list[tuple[str, int]]:
    """Write an index as pymongo wants it; a field that comes twice counts where it comes first."""
    names = dict.fromkeys(index)
    return [(name.lstrip("-"), -1 if name.startswith("-") else 1) for name in names]
