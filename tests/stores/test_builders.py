"""Materials after one hull, and after the next."""

import itertools
from datetime import UTC, datetime, timedelta

import pytest
from pymatgen.core import Lattice, Structure

from screening.hull import build_hull
from screening.relax import group_duplicates
from screening.schemas import (
    MaterialDoc,
    PhononDoc,
    ReferenceSource,
    RelaxationDoc,
    RelaxState,
    StructureDoc,
    StructureRole,
    StructureStage,
)
from stores.builders import build_materials
from stores.repair import outdated, repair
from stores.standing import verdicts_of_newest_hulls

START = datetime(2026, 1, 1, tzinfo=UTC)
BANK = ReferenceSource(name="prototype bank 'prototypes' (9 crystals)", date=START)


def phase(species, energy, a=4.0, role=StructureRole.CANDIDATE):
    """A relaxed structure of some cubic cell."""
    fractions = [[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0.5, 0], [0.5, 0, 0.5]][: len(species)]
    return StructureDoc.from_structure(
        Structure(Lattice.cubic(a), species, fractions),
        stage=StructureStage.RELAXED,
        role=role,
        relaxation=RelaxationDoc(
            engine="toy", state=RelaxState.CONVERGED, energy_per_atom=energy, energy=energy
        ),
    )


ELEMENTS = [
    phase([el], 0.0, 3.0 + 0.1 * k, StructureRole.ELEMENT)
    for k, el in enumerate(("Cu", "Pd", "Au"))
]
FIRST = phase(["Cu", "Pd"], -0.2)
COPY = phase(["Cu", "Pd"], -0.21, 4.02)  # the same crystal, relaxed a little lower
LOWER = phase(["Cu", "Cu", "Pd", "Pd"], -0.9, 5.0)


def add_hull(database, chemsys, documents, hours, **fields):
    elements = set(chemsys.split("-"))
    inside = [doc for doc in [*ELEMENTS, *documents] if set(doc.elements) <= elements]
    database.upsert(inside)
    hull = build_hull(chemsys, group_duplicates(inside), "toy")
    hull.created = START + timedelta(hours=hours)
    for name, value in fields.items():
        setattr(hull, name, value)
    database.upsert([hull])
    return hull.hull_id


def materials(database):
    return {doc.structure_id: doc for doc in database.find(MaterialDoc)}


def test_a_crystal_that_leaves_the_window_gets_its_new_distance(database):
    build_materials(database, [add_hull(database, "Cu-Pd", [FIRST], 1)], 0.1)
    before = materials(database)[FIRST.structure_id]
    assert before.is_stable
    assert before.energy_above_hull == 0.0
    newest = add_hull(database, "Cu-Pd", [FIRST, LOWER], 2)
    build_materials(database, [newest], 0.1)
    after = materials(database)
    assert after.keys() == {FIRST.structure_id, LOWER.structure_id}
    one = after[FIRST.structure_id]
    assert one.energy_above_hull == pytest.approx(0.7)
    assert (one.is_stable, one.superseded_by, one.hull_id) == (False, None, newest)
    assert one.last_updated > before.last_updated
    served = database.raw("optimade").find_one({"id": one.material_id})
    assert served["energy_above_hull"] == pytest.approx(0.7)
    assert served["is_stable"] is False


def test_a_lower_copy_supersedes_and_has_the_phonons(database):
    build_materials(database, [add_hull(database, "Cu-Pd", [FIRST], 1)], 0.1)
    phonons = PhononDoc(
        structure_id=FIRST.structure_id, engine="toy", verdict="stable", min_frequency=0.0,
        tolerance=0.1, marginal_tolerance=0.3, displacement=0.01, nsites_supercell=2,
        supercell=[[1, 0, 0], [0, 1, 0], [0, 0, 1]], primitive=FIRST.structure,
    )  # fmt: skip
    database.upsert([phonons])
    newest = add_hull(database, "Cu-Pd", [FIRST, COPY], 2)
    build_materials(database, [newest], 0.1)
    one, copy = (materials(database)[doc.structure_id] for doc in (FIRST, COPY))
    assert one.superseded_by == copy.material_id
    assert one.energy_above_hull == pytest.approx(0.01)
    assert not one.is_stable
    assert copy.is_stable
    assert (copy.dynamic_stability, copy.phonon_of) == ("stable", FIRST.structure_id)
    assert set(copy.found_as) == {FIRST.structure_id, COPY.structure_id}


def test_a_crystal_that_the_newest_hull_lacks_names_it(database):
    build_materials(database, [add_hull(database, "Cu-Pd", [FIRST], 1)], 0.1)
    newest = add_hull(database, "Au-Cu-Pd", [LOWER], 2)
    build_materials(database, [newest], 0.1)
    one = materials(database)[FIRST.structure_id]
    assert (one.superseded_by, one.hull_id, one.is_stable) == (newest, newest, False)
    assert one.energy_above_hull == pytest.approx(0.7)
    assert sum(one.decomposes_to.values()) == pytest.approx(1.0)


def test_every_structure_has_a_distance_of_its_own(database):
    add_hull(database, "Cu-Pd", [FIRST], 1)
    add_hull(database, "Cu-Pd", [FIRST, COPY, LOWER], 2)
    documents = [FIRST, COPY, LOWER, phase(["Au", "Pd"], -0.1)]
    verdicts = verdicts_of_newest_hulls(database, documents)
    assert all(verdict["systems_without_reference"] == ["Cu-Pd"] for verdict in verdicts.values())
    assert all(verdict["known"] is None for verdict in verdicts.values())
    above = {name: verdict["energy_above_hull"] for name, verdict in verdicts.items()}
    assert above == pytest.approx(
        {FIRST.structure_id: 0.7, COPY.structure_id: 0.69, LOWER.structure_id: 0.0}
    )


def test_builders_in_any_order_leave_the_same_documents(database):
    first = add_hull(database, "Cu-Pd", [FIRST], 1)
    second = add_hull(database, "Au-Cu-Pd", [FIRST, COPY], 2)
    third = add_hull(database, "Cu-Pd", [FIRST, COPY, LOWER], 3)
    ends = []
    for order in itertools.permutations([first, second, third]):
        database.raw("materials").delete_many({})
        for hull_id in order:
            build_materials(database, [hull_id], 0.1)
        found = materials(database)
        assert {doc.hull_id for doc in found.values()} == {third}
        ends.append({key: doc.model_dump(exclude={"last_updated"}) for key, doc in found.items()})
    assert all(end == ends[0] for end in ends)


def test_known_and_new_name_what_was_searched(database):
    known = phase(["Cu", "Pd"], -0.2, 4.01, StructureRole.COMPETING)
    documents = [FIRST, known, phase(["Cu", "Cu", "Pd"], -0.3)]
    hull_id = add_hull(database, "Au-Cu-Pd", documents, 1, searched=[BANK])
    build_materials(database, [hull_id], 0.1)
    found = {doc.formula_pretty: doc for doc in database.find(MaterialDoc)}
    assert found["CuPd"].known
    assert found["CuPd"].known_as == [known.structure_id]
    assert found["Cu2Pd"].known is False
    for doc in found.values():
        assert doc.known_source == f"{BANK.name} (2026-01-01)"
        assert [one.matches for one in doc.searched] == [doc.known]
        assert (doc.n_references, doc.systems_without_reference) == (1, [])
    database.raw("hulls").update_one({"hull_id": hull_id}, {"$set": {"searched": []}})
    build_materials(database, [hull_id], 0.1)
    found = {doc.formula_pretty: doc for doc in database.find(MaterialDoc)}
    assert found["Cu2Pd"].known is None  # nobody looked
    assert found["Cu2Pd"].known_source is None


def test_doctor_mends_what_an_older_version_left(database):
    old = add_hull(database, "Cu-Pd", [FIRST], 1)
    build_materials(database, [old], 0.1)
    add_hull(database, "Cu-Pd", [FIRST, LOWER], 2)
    new_fields = (
        "superseded_by", "n_references", "systems_without_reference", "known_as", "searched",
        "phonon_of",
    )  # fmt: skip
    unset = {"$unset": dict.fromkeys(new_fields, "")}
    database.raw("materials").update_many({}, unset)
    database.raw("hulls").update_many({}, unset)
    database.raw("hulls").update_many({}, {"$unset": {"entries.$[].known_as": ""}})
    assert outdated(database).n_materials == 1
    assert len(repair(database)) == 2
    one = materials(database)[FIRST.structure_id]
    assert one.energy_above_hull == pytest.approx(0.7)
    assert one.systems_without_reference == ["Cu-Pd"]
    assert repair(database) == []
