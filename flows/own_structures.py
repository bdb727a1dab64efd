"""A campaign of crystals that the user brings, instead of crystals that methods propose."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from flows.campaign import CampaignMaker
from makers.candidates import CandidatesMaker
from makers.generation import GenerationMaker
from makers.structure import StructureMaker
from makers.validity import ValidityMaker
from screening.errors import InputError
from screening.readers.files import read_structures
from screening.schemas import OriginDoc, SpaceGroupDoc, StructureDoc, StructureRole, StructureStage

if TYPE_CHECKING:
    from pathlib import Path

    from stores import Database

METHOD = "file"
"""What the origin of such a crystal is called."""


@dataclass
class OwnStructures:
    """Crystals of files as candidates.

    Attributes
    ----------
    documents
        The crystals, each once; their origins name the files.
    rejected
        File and reason of the others.
    passed_over
        Files of a folder that are of no known type.
    """

    documents: dict[str, StructureDoc] = field(default_factory=dict)
    rejected: list[tuple[str, str]] = field(default_factory=list)
    passed_over: list[Path] = field(default_factory=list)


def read_candidates(database: Database, path: Path) -> OwnStructures:
    """Read the crystals of a file or folder and keep them as candidates.

    Parameters
    ----------
    database
        The database.
    path
        What `screening.readers.files.read_structures` takes.

    Raises
    ------
    InputError
        If there is no usable crystal.
    """
    crystals = OwnStructures()
    for item in read_structures(path, crystals.passed_over):
        if item.structure is None:
            crystals.rejected.append((item.label, item.reason or "unreadable"))
            continue
        document = StructureDoc.from_structure(
            item.structure,
            stage=StructureStage.GENERATED,
            role=StructureRole.CANDIDATE,
            symmetry=SpaceGroupDoc.from_structure(item.structure),
            origins=[OriginDoc(method=METHOD, version="1", rank=1, template=item.label)],
        )
        database.upsert([document])
        crystals.documents[document.structure_id] = document
    if not crystals.documents:
        reasons = "; ".join(f"{label}: {reason}" for label, reason in crystals.rejected[:3])
        raise InputError(f"{path} holds no usable crystal: {reasons}")
    return crystals


def own_campaign(
    crystals: OwnStructures,
    name: str,
    *,
    until: Literal["relax", "hull", "phonon"] = "phonon",
    engine: str = "chgnet",
    pressure: float = 0.0,
    seed: int = 0,
) -> CampaignMaker:
    """Describe the campaign: relaxation, hull, phonons and verdict of the given crystals.

    Parameters
    ----------
    crystals
        What `read_candidates` gives.
    name
        Name of the campaign.
    until
        Last stage: relax, hull or phonon.
    engine
        Energy engine: ``chgnet``, or any ASE calculator (``module:callable``).
    pressure
        Pressure of the relaxations and the hull (GPa).
    seed
        Seed.
    """
    documents = crystals.documents.values()
    formulas = sorted({document.formula for document in documents})
    largest = max(document.nsites for document in documents)
    return CampaignMaker(
        name=name,
        seed=seed,
        until=until,
        engine=engine,
        pressure=pressure,
        generation=GenerationMaker(
            method="formulas", formulas=formulas, min_elements=1, max_elements=8,
            max_atoms=min(200, max(20, largest)),
        ),
        validity=ValidityMaker(enforce=False),
        candidates=CandidatesMaker(top=len(formulas), rank_by="formation_energy"),
        structure=StructureMaker(methods={}, given=sorted(crystals.documents)),
    )  # fmt: skip
