"""References, proposals and imports of phases of the bank, in any order and from two processes.

``RUN_SLOW=1`` takes 30 formulas instead of 3.
"""

import os
import random
import subprocess
import sys
from pathlib import Path

import numpy as np

from flows.imports import import_structures
from makers.references import ReferencesMaker
from makers.structure import StructureMaker
from screening.composition import chemical_system, pretty_formula
from screening.prototypes.bank import Bank
from screening.readers.files import ReadStructure
from screening.schemas import StructureDoc, StructureRole
from stores import open_database

N_FORMULAS = 30 if os.environ.get("RUN_SLOW") else 3


def bank_formulas():
    """Binary and ternary compounds of the bank."""
    bank = Bank.load("prototypes")
    formulas = sorted({f for f in bank.formulas if 2 <= len(chemical_system(f).split("-")) <= 3})
    chosen = np.random.default_rng(5).choice(len(formulas), N_FORMULAS, replace=False)
    return [formulas[int(n)] for n in chosen]


def phases(formula):
    """Phases of the bank of one composition."""
    found = Bank.load("prototypes").known_phases(chemical_system(formula).split("-"))
    return [one for one in found if one.composition.reduced_formula == pretty_formula(formula)]


def writers(formula):
    """The three tasks that write the phases of a composition."""
    maker = StructureMaker(methods={"prototypes": 6}, energies=False)
    system = chemical_system(formula)

    def references(database):
        outcome = ReferencesMaker()._collect(system, [])
        database.upsert([document for document, _ in outcome.documents])

    def pool(database):
        outcome = maker._generate(database, [f"cand-{formula}"], [formula], [], 0.0)
        database.upsert([document for document, _ in outcome.documents])

    def imports(database):
        items = [ReadStructure(f"{formula}-{n}", one) for n, one in enumerate(phases(formula))]
        import_structures(database, items, "mine")

    return [references, pool, imports]


def write_all(seed):
    """Write everything in a random order."""
    tasks = [task for formula in bank_formulas() for task in writers(formula)]
    database = open_database()
    for task in random.Random(seed).sample(tasks, len(tasks)):
        task(database)


def read(database):
    rows = database.raw("structures").find({}, {"_id": 0})
    return {row["structure_id"]: row for row in rows}


def test_the_order_and_the_number_of_writers_do_not_matter(database):
    write_all(0)
    expected = read(database)
    for formula in bank_formulas():
        stored = list(database.find(StructureDoc, {"formula": pretty_formula(formula)}))
        known = [document for document in stored if document.is_reference]
        assert len(known) == len(phases(formula))
        for document in known:
            assert {StructureRole.COMPETING, StructureRole.IMPORTED} <= set(document.roles)
        assert any(document.is_candidate for document in known)
    database.raw("structures").delete_many({})
    write_all(1)
    assert read(database) == expected
    database.raw("structures").delete_many({})
    here = Path(__file__).parent
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(here), str(here.parents[1])])}
    script = "import sys, test_writers; test_writers.write_all(int(sys.argv[1]))"
    processes = [
        subprocess.Popen([sys.executable, "-c", script, str(seed)], env=environment)
        for seed in (2, 3)
    ]
    assert [process.wait(600) for process in processes] == [0, 0]
    assert read(database) == expected
