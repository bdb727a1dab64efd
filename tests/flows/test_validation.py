"""DFT of the best candidates: atomate2's unmodified makers run an emulated VASP, here and on
FireWorks; a real MongoDB, the EMT potential."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from pymatgen.core import Lattice, Structure

from db_config import reset_settings
from db_config.files import environment
from flows.launch import run_flow, submit_flow
from flows.validation import Ending, competing_of, validation_flow
from makers.hull import HullMaker
from makers.relax import RelaxMaker
from makers.validation import ValidationMaker
from screening.errors import ConfigError
from screening.schemas import (
    HullDoc,
    MaterialDoc,
    OriginDoc,
    PhononDoc,
    StructureDoc,
    StructureRole,
    StructureStage,
    TaskRecord,
)
from stores import close_database, open_database
from stores.lineage import lineage

pytestmark = [pytest.mark.vasp, pytest.mark.timeout(300)]

PHASES = [
    ("element", "Fm-3m", 3.6, ["Cu"], [[0, 0, 0]]),
    ("element", "Fm-3m", 4.05, ["Au"], [[0, 0, 0]]),
    ("candidate", "Pm-3m", 3.75, ["Au", "Cu"], [[0, 0, 0], [0.5, 0.5, 0]]),
    ("candidate", "Pm-3m", 2.95, ["Au", "Cu"], [[0, 0, 0], [0.5, 0.5, 0.5]]),
]


def phase(role, group, a, species, sites):
    structure = Structure.from_spacegroup(group, Lattice.cubic(a), species, sites)
    return StructureDoc.from_structure(
        structure.get_primitive_structure(),
        stage=StructureStage.GENERATED,
        role=StructureRole(role),
        origins=[OriginDoc(method="prototypes", version="1", rank=1)],
    )


@pytest.fixture
def emulated(mongo, vasp, tmp_path, monkeypatch):
    """An emulated VASP on the PATH, and settings that allow it."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("vasp_std", "vasp_gam"):
        (programs / name).symlink_to(vasp.command)
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("SCREENING_CALCULATION_DIR", str(tmp_path / "calculations"))
    monkeypatch.setenv("SCREENING_ALLOW_EMULATOR", "true")
    reset_settings()
    return vasp


@pytest.fixture
def alloys(emulated, database):
    """Cu-Au relaxed and on a hull by EMT, and an emulated VASP; the ids of the candidates."""
    documents = [phase(*row) for row in PHASES]
    database.upsert(documents)
    names = [document.structure_id for document in documents]
    relax = RelaxMaker(engine="emt", batch_size=4).make(names)
    run_flow(relax, database)
    run_flow(HullMaker(engine="emt", max_above_hull=0.5).make("Au-Cu"), database)
    rows = database.rows("structures", {"stage": "relaxed", "role": "candidate"}, ["structure_id"])
    return sorted(row["structure_id"] for row in rows)


def maker(**fields):
    return ValidationMaker(poll_seconds=0.2, min_length=5.0, **fields)


def validate(names, **fields):
    database = open_database()
    chosen = maker(**fields)
    competing = competing_of(database, names) if chosen.competing else []
    run_flow(validation_flow(chosen, names, competing, Ending(None, [], 0.5)), database)
    return database


def test_candidates_are_relaxed_and_put_on_a_hull_of_their_own(alloys):
    import time
    t=time.time()
    database = validate(alloys)
    print(time.time()-t)
    for row in database.rows("tasks", {"stage":"validation"}): print(row["state"], row["summary"].get("reasons"), row["summary"].get("data"), [a["error"] for a in row["attempts"]])
    for d in database.find(StructureDoc, {"stage":"dft"}): print(d.formula, d.relaxation.engine, d.relaxation.state, d.relaxation.energy_per_atom, d.dft.calculations[0])
    for d in database.find(HullDoc): print(d.energy_source, [(e.formula, e.energy_above_hull, e.role) for e in d.entries])
    for d in database.find(PhononDoc): print(d.verdict, d.reason, d.min_frequency, d.nsites_supercell, d.n_displacements, len(d.dft.calculations))
    for d in database.find(MaterialDoc): 
        print(d.formula_pretty, d.energy_source, d.task_ids)
        import pprint; pprint.pprint(lineage(database, d.material_id).as_dict(), width=200)
    assert 0
