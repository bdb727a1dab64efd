"""Alloys of Cu, Au and Pd on a hull by EMT, and an emulated VASP: what tests of DFT start from."""

import os

from pymatgen.core import Lattice, Structure

from flows.campaign import CampaignMaker
from flows.launch import register, run_flow
from flows.validation import validate_best
from makers.fields import build_maker
from makers.hull import HullMaker
from makers.relax import RelaxMaker
from screening.schemas import (
    CandidateDoc,
    GenerationDoc,
    OriginDoc,
    Stage,
    StructureDoc,
    StructureRole,
    StructureStage,
)

PROTOTYPES = {
    "B2": ("Pm-3m", 0.0, [[0, 0, 0], [0.5, 0.5, 0.5]]),
    "L12": ("Pm-3m", 0.8, [[0, 0, 0], [0.5, 0.5, 0]]),
}
"""Space group, what is added to the lattice constant (Angstrom), sites."""
SEVEN = [
    ("B2", "Cu", "Au"), ("L12", "Au", "Cu"), ("L12", "Cu", "Au"), ("B2", "Cu", "Pd"),
    ("L12", "Pd", "Cu"), ("L12", "Cu", "Pd"), ("B2", "Au", "Pd"),
]  # fmt: skip
SECTIONS = {
    "relax": {"engine": "emt"},
    "hull": {"engine": "emt", "max_above_hull": 1.0},
    "phonon": {"engine": "emt"},
    "validation": {"poll_seconds": 0.2, "min_length": 5.0, "max_above_hull": 1.0},
}


def set_up(vasp, programs, patch):
    """Put the emulator on the PATH, and allow it in the database."""
    for name in ("vasp_std", "vasp_gam"):
        (programs / name).symlink_to(vasp.command)
    patch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    patch.setenv("SCREENING_CALCULATION_DIR", str(programs / "calculations"))
    patch.setenv("SCREENING_ALLOW_EMULATOR", "true")


def element(symbol, a):
    crystal = Structure.from_spacegroup("Fm-3m", Lattice.cubic(a), [symbol], [[0, 0, 0]])
    return _document(crystal, StructureRole.ELEMENT)


def alloy(prototype, first, second):
    group, more, sites = PROTOTYPES[prototype]
    crystal = Structure.from_spacegroup(group, Lattice.cubic(3.0 + more), [first, second], sites)
    return _document(crystal, StructureRole.CANDIDATE)


def _document(crystal, role):
    return StructureDoc.from_structure(
        crystal.get_primitive_structure(),
        stage=StructureStage.GENERATED,
        role=role,
        origins=[OriginDoc(method="prototypes", version="1", rank=1)],
    )


def campaign(database, alloys, chemsys, **validation):
    """A campaign up to its hull, by EMT; the campaign and the hull."""
    sections = SECTIONS | {"validation": SECTIONS["validation"] | validation}
    maker = build_maker(
        CampaignMaker, {"name": "alloys", "until": "validation", "generation": {}, **sections}
    )
    register(database, maker, "local")
    lattices = {"Cu": 3.6, "Au": 4.05, "Pd": 3.9}
    documents = [element(symbol, lattices[symbol]) for symbol in chemsys.split("-")]
    documents += [alloy(*one) for one in alloys]
    database.upsert(documents)
    database.upsert(_candidate(maker.campaign_id, one) for one in documents[-len(alloys) :])
    names = [document.structure_id for document in documents]
    elements, candidates = names[: -len(alloys)], names[-len(alloys) :]
    relax = RelaxMaker(engine="emt")
    run_flow(relax.make(elements, maker.campaign_id, counted=False), database)
    run_flow(relax.make(candidates, maker.campaign_id), database)
    hull = HullMaker(engine="emt", max_above_hull=1.0).make(chemsys, maker.campaign_id)
    run_flow(hull, database)
    (row,) = database.rows("hulls", {}, ["hull_id"])
    return maker, row["hull_id"]


def _candidate(campaign_id, document):
    return CandidateDoc(
        candidate_id=f"cand-{document.formula}",
        campaign_id=campaign_id,
        formula=document.formula,
        chemsys=document.chemsys,
        elements=document.elements,
        nelements=document.nelements,
        natoms_formula=document.nsites,
        generation=GenerationDoc(method="formulas", batch_id="bat-1", index=0),
        stage=Stage.HULL,
    )


def best_of(maker, hull_id):
    """The job that validates the best crystals of a campaign's hull."""
    limit = maker.hull.max_above_hull
    return validate_best(maker.validation, maker.campaign_id, [hull_id], limit, [])
