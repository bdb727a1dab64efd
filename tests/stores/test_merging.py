"""Structures that several tasks write: the order and the number of the writers do not matter."""

import itertools
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest
from pymatgen.core import Lattice, Structure

from screening.schemas import (
    OriginDoc,
    Provenance,
    RelaxationDoc,
    RelaxState,
    SpaceGroupDoc,
    Stage,
    State,
    StructureDoc,
    StructureRole,
    StructureStage,
    utc_now,
)

SALT = Structure.from_spacegroup(
    "Fm-3m", Lattice.cubic(5.69), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]]
).get_primitive_structure()
STARTED = utc_now()


def provenance(task, stage=Stage.STRUCTURE, parents=()):
    return Provenance(
        task_key=task,
        stage=stage,
        stage_version=1,
        maker="makers.test",
        parameters={"engine_options": {"rc.x": 1, "$y": "$stage"}},
        parents=list(parents),
        started=STARTED,
    )


def generated(role, method, task, *, rank=1, stage=Stage.STRUCTURE, parents=(), symmetry=True):
    """One claim on rock salt."""
    return StructureDoc.from_structure(
        SALT,
        stage=StructureStage.GENERATED,
        role=role,
        symmetry=SpaceGroupDoc.from_structure(SALT) if symmetry else None,
        origins=[OriginDoc(method=method, version="1", rank=rank, parameters={"$a.b": "$c"})],
        provenance=provenance(task, stage, parents) if task else None,
    )


PROPOSED = generated(StructureRole.CANDIDATE, "prototypes", "b", rank=2, parents=["cand-1"])
AGAIN = generated(StructureRole.CANDIDATE, "transformer", "a", parents=["cand-2"])
REFERENCE = generated(
    StructureRole.COMPETING, "known phases", "0", stage=Stage.HULL, symmetry=False
)
IMPORT = generated(StructureRole.IMPORTED, "mine.cif", None)


def relaxed(energy, task, parent=PROPOSED, state=RelaxState.CONVERGED):
    return StructureDoc.from_structure(
        SALT,
        stage=StructureStage.RELAXED,
        parent_id=parent.structure_id,
        roles=parent.roles,
        origins=parent.origins,
        state=State.OK if state.usable else State.FAILED,
        relaxation=RelaxationDoc(
            engine="emt", state=state, energy=energy, energy_per_atom=energy, steps=3
        ),
        provenance=provenance(task, Stage.RELAX, [parent.structure_id]),
    )


WRITERS = [
    PROPOSED,
    AGAIN,
    REFERENCE,
    IMPORT,
    relaxed(-3.0, "r1"),
    relaxed(-3.5, "r2", REFERENCE),
    relaxed(float("nan"), "r3", IMPORT),
    relaxed(-9.0, "r4", state=RelaxState.FAILED),
]


def read(database):
    rows = list(database.raw("structures").find({}, {"_id": 0}, sort=[("structure_id", 1)]))
    return {row["structure_id"]: row for row in rows}


def write(database, documents, size=1):
    database.raw("structures").delete_many({})
    for start in range(0, len(documents), size):
        database.upsert(documents[start : start + size])
    return read(database)


def test_every_claim_is_kept_whatever_the_order(database):
    expected = write(database, [PROPOSED, AGAIN, REFERENCE, IMPORT])
    (row,) = expected.values()
    assert row["roles"] == ["candidate", "competing", "imported"]
    assert row["role"] == "candidate"
    claims = [(origin["rank"], origin["method"], origin["role"]) for origin in row["origins"]]
    assert claims == [
        (1, "known phases", "competing"),
        (1, "mine.cif", "imported"),
        (1, "transformer", "candidate"),
        (2, "prototypes", "candidate"),
    ]
    assert row["provenance"]["task_key"] == "a"
    assert row["provenance"]["parents"] == ["cand-1", "cand-2"]
    assert row["symmetry"]["number"] == 225
    document = database.get(StructureDoc, PROPOSED.structure_id)
    assert document.is_candidate
    assert document.is_reference
    for order in itertools.permutations([PROPOSED, AGAIN, REFERENCE, IMPORT]):
        assert write(database, [*order]) == expected


def test_the_lowest_valid_energy_is_kept_and_the_relaxed_inherit_later_claims(database):
    expected = write(database, WRITERS)
    row = expected[WRITERS[4].structure_id]
    assert row["relaxation"]["energy_per_atom"] == -3.5
    assert row["provenance"]["task_key"] == "r2"
    assert row["roles"] == ["candidate", "competing", "imported"]
    assert len(row["origins"]) == 4


def test_merging_is_commutative_associative_and_idempotent(database):
    expected = write(database, WRITERS)
    generator = random.Random(1)
    for _ in range(60):
        order = generator.sample(WRITERS, len(WRITERS)) + generator.choices(WRITERS, k=4)
        assert write(database, order, generator.randint(1, 5)) == expected


def test_duplicates_that_a_hull_found_stay(database):
    database.upsert([WRITERS[4]])
    database.patch(StructureDoc, {WRITERS[4].structure_id: {"duplicate_of": "str-x"}})
    database.upsert([WRITERS[5]])
    assert read(database)[WRITERS[4].structure_id]["duplicate_of"] == "str-x"


def test_single_roles_of_older_documents_are_read(database):
    row = REFERENCE.model_dump(mode="json")
    del row["roles"]
    for origin in row["origins"]:
        del origin["role"]
    document = StructureDoc.model_validate(row)
    assert document.roles == [StructureRole.COMPETING]
    assert document.origins[0].role == StructureRole.COMPETING
    assert document.is_reference
    assert not document.is_candidate


SCRIPT = """
import random, sys
from test_merging import WRITERS
from stores import open_database
database = open_database()
random.seed(int(sys.argv[1]))
for _ in range(10):
    for document in random.sample(WRITERS, len(WRITERS)):
        database.upsert([document])
"""


@pytest.mark.parametrize("seed", [1])
def test_writers_in_several_processes_leave_the_same_documents(database, mongo, seed):
    expected = write(database, WRITERS)
    database.raw("structures").delete_many({})
    here = Path(__file__).parent
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(here), str(here.parents[1])])}
    command = [sys.executable, "-c", SCRIPT]
    writers = [subprocess.Popen([*command, str(seed + n)], env=environment) for n in range(2)]
    assert [writer.wait(60) for writer in writers] == [0, 0]
    rows = read(database)
    for row in (*rows.values(), *expected.values()):
        row["provenance"].pop("started")
    assert rows == expected
