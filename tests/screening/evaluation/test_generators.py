"""What is measured of generators, and that a stopped measurement goes on."""

import numpy as np
import pandas as pd
import pytest
from pymatgen.core import Lattice, Structure

from screening.errors import InputError
from screening.evaluation.generators.held_out import (
    choose_subjects,
    fresh_formulas,
    structure_table,
    trained_on,
)
from screening.evaluation.generators.measure import Measurement, displacement
from screening.evaluation.generators.options import GeneratorsEvaluation
from screening.evaluation.generators.polymorph_map import features
from screening.evaluation.generators.pooling import compare_pool, pool_table
from screening.evaluation.generators.summary import figures, known_energies
from screening.training.data import unseen
from screening.training.registry import evaluate as measure
from screening.training.request import EvaluateRequest

OPTIONS = {
    "methods": "random,random-p1",
    "engine": "emt",
    "epochs": "0",
    "block": "2",
    "max_steps": "60",
}
PAIRS = [("Cu", "Au"), ("Ag", "Pd"), ("Ni", "Pt"), ("Cu", "Pt"), ("Ag", "Au"), ("Pd", "Au")]


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """Crystals of pairs of metals that EMT knows, in the CsCl structure; Cu-Au also in L1_0."""
    points = [[0, 0, 0], [0.5, 0.5, 0.5]]
    crystals = [Structure(Lattice.cubic(3.05), pair, points) for pair in PAIRS]
    crystals.append(Structure(Lattice.tetragonal(2.8, 3.7), PAIRS[0], points))
    rows = [
        {
            "material_id": f"test-{place}",
            "formula": crystal.composition.reduced_formula,
            "n_sites": len(crystal),
            "atomic_numbers": list(crystal.atomic_numbers),
            "lattice": crystal.lattice.matrix.ravel(),
            "frac_coords": crystal.frac_coords.ravel(),
            "formation_energy_per_atom": -0.1,
            "e_above_hull": 0.0 if place else 0.05,
            "spacegroup_number": 221,
        }
        for place, crystal in enumerate(crystals)
    ]
    path = tmp_path_factory.mktemp("data") / "metals.parquet"
    pd.DataFrame(rows).to_parquet(path)
    return path


def request(table, state=None, **options):
    return EvaluateRequest(table, sample=3, top_k=4, state=state, options={**OPTIONS, **options})


@pytest.fixture(scope="module")
def measured(table, tmp_path_factory):
    return measure("generators", request(table, tmp_path_factory.mktemp("state")))


def test_all_methods_get_the_same_formulas_and_numbers(measured):
    assert list(measured["methods"]) == ["known", "random", "random-p1"]
    formulas = {
        name: {row["formula"] for row in measured["rows"] if row["method"] == name}
        for name in measured["methods"]
    }
    assert measured["n"] == 3
    assert formulas["known"] == formulas["random"] == formulas["random-p1"]
    for name in ("random", "random-p1"):
        assert measured["methods"][name]["structures"] == 12
        assert measured["methods"][name]["relaxation"]["n"] == 3


def test_the_known_crystal_is_the_one_of_lowest_energy_and_matches_itself(measured):
    known = measured["methods"]["known"]
    assert known["match"]["strict"] == {"1": 1.0, "4": 1.0}
    assert known["rmse"]["loose"] == pytest.approx(0, abs=1e-6)
    assert known["relaxation"]["above"]["mean"] == pytest.approx(0, abs=1e-9)


def test_shares_are_those_of_the_rows(measured):
    rows = [row for row in measured["rows"] if row["method"] == "random-p1"]
    own = measured["methods"]["random-p1"]
    assert own["distinct"]["mean"] == pytest.approx(np.mean([row["distinct"] for row in rows]))
    relaxed = [row["relaxed"] for row in rows if "relaxed" in row]
    done = [row for row in relaxed if row["state"] == "converged"]
    assert own["relaxation"]["converged"]["mean"] == pytest.approx(len(done) / len(relaxed))
    moved = [row["displacement"] for row in done]
    assert own["relaxation"]["displacement"]["mean"] == pytest.approx(np.mean(moved))
    assert min(moved) > 0
    low, high = own["distinct"]["interval"]
    assert low <= own["distinct"]["mean"] <= high


def test_crystals_without_symmetry_are_new_and_not_close(measured):
    rows = [row for row in measured["rows"] if row["method"] == "random-p1"]
    assert measured["methods"]["random-p1"]["valid_contact"]["mean"] == 1.0
    assert all(row["distance"] > 0.5 for row in rows)
    assert {row["atoms"] for row in rows} == {2}


def test_a_stopped_measurement_goes_on_to_the_same_result(table, measured, tmp_path, monkeypatch):
    block, calls = Measurement.block, []

    def stopped(self, method, *arguments):
        calls.append(method)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return block(self, method, *arguments)

    monkeypatch.setattr(Measurement, "block", stopped)
    with pytest.raises(KeyboardInterrupt):
        measure("generators", request(table, tmp_path))
    again = measure("generators", request(table, tmp_path))
    assert calls == ["known", "known", "random", "random", "random", "random-p1", "random-p1"]
    assert again["rows"] == measured["rows"]
    more = measure("generators", request(table, tmp_path, methods="random"))
    assert len(calls) == 7
    assert more["methods"]["random"]["match"] == measured["methods"]["random"]["match"]


def test_a_pool_is_measured_like_a_method(table, tmp_path):
    found = measure("generators", request(table, tmp_path, methods="random", pool="4"))
    alone, pool = ([r for r in found["rows"] if r["method"] == m] for m in ("random", "pool"))
    assert len(pool) == sum(row["distinct"] for row in alone) < len(alone)
    assert all(row["distinct"] for row in pool)
    assert found["methods"]["pool"]["relaxation"]["n"] == 3
    compared = found["pool"]["loose"]
    assert compared["pool"] == compared["any"] == compared["methods"]["random"]
    assert found["tables"][-1]["title"] == "First 4 of a pool"


def test_a_pool_is_compared_with_the_prototypes_formula_by_formula():
    def part(**found):  # formula -> rank of its match
        formulas = [{"formula": name, "asked": 3} for name in "ABCD"]
        rows = [
            {"formula": name, "rank": rank, "loose": 0.1, "strict": None}
            for name, rank in found.items()
        ]
        return {"formulas": formulas, "rows": rows}

    parts = {
        "known": part(A=1, B=1, C=1, D=1),
        "prototypes": part(A=1, B=2),
        "transformer": part(B=1, C=3),
        "random-p1": part(D=1),
        "pool": part(B=1, C=2, A=3),
    }
    two = compare_pool(parts, 2, 0)["loose"]
    assert two["methods"] == {"prototypes": 0.5, "transformer": 0.25}
    assert (two["any"], two["pool"], two["gain"]) == (0.5, 0.5, 0.0)
    assert (two["gained"], two["lost"]) == (["C"], ["A"])
    assert two["only"] == {"prototypes": ["A"], "transformer": []}
    three = compare_pool(parts, 3, 0)
    assert three["loose"]["only"] == {"prototypes": ["A"], "transformer": ["C"]}
    assert three["loose"]["gain_interval"][1] == 0.75
    assert three["strict"]["any"] == 0
    rows = pool_table(three)["rows"]
    assert [row["method"] for row in rows] == ["prototypes", "transformer", "any", "pool"]


def test_a_map_has_a_place_for_each_structure_and_counts_polymorphs(table):
    found = measure("generators", request(table, map="AuCu", atoms="4"))
    maps = found["plots"]["landscape"]
    assert set(maps) == {"methods", "energies"}
    assert len(maps["methods"]["x"]) == len(found["rows"]) == 2 + 4 + 4
    assert maps["methods"]["families"][-1] == "known"
    assert found["polymorphs"]["random"]["known"] == 2
    assert [row["method"] for row in found["tables"][-1]["rows"]] == ["random", "random-p1"]
    assert found["polymorphs"]["random"]["relaxed"] <= 2
    assert found["seen_by"] == []
    assert all("relaxed" in row and "features" not in row for row in found["rows"])


def test_formulas_that_a_model_has_seen_are_not_measured(table):
    crystals = structure_table(table)
    seen = trained_on(["prototypes", "random"])
    assert list(seen) == ["prototypes"]
    options = GeneratorsEvaluation(methods=("prototypes", "random"))
    fresh = fresh_formulas(crystals, options)
    assert unseen(fresh, seen["prototypes"]).all()
    rest = sorted(set(crystals["formula"]) - set(fresh))
    assert rest
    assert not unseen(rest, seen["prototypes"]).any()
    every = fresh_formulas(crystals, GeneratorsEvaluation(methods=("random",)))
    assert sorted(every) == sorted([*fresh, *rest])


def test_a_larger_sample_begins_with_the_smaller_one(table):
    crystals, options = structure_table(table), GeneratorsEvaluation(methods=("random",))
    fresh = fresh_formulas(crystals, options)
    small, large = (
        choose_subjects(crystals, fresh, EvaluateRequest(table, sample=n, seed=1), options)
        for n in (2, 5)
    )
    assert [one.formula for one in small] == [one.formula for one in large[:2]]
    assert len(large) == 5


def test_displacements_do_not_depend_on_the_choice_of_images():
    before = Structure(Lattice.cubic(4.0), ["Cu", "Au"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    after = Structure(Lattice.cubic(4.4), ["Cu", "Au"], [[0.95, 0, 0], [0.5, 0.5, 0.5]])
    assert displacement(before, after) == pytest.approx(0.2 / np.sqrt(2))
    assert displacement(before, before) == 0


def test_features_know_the_density_and_not_the_cell():
    crystal = Structure(Lattice.cubic(3.0), ["Cu", "Au"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    np.testing.assert_allclose(features(crystal * (2, 1, 1)), features(crystal), atol=1e-9)
    larger = crystal.copy()
    larger.scale_lattice(crystal.volume * 8)
    np.testing.assert_allclose(features(larger), 2 * features(crystal), atol=1e-9)


def test_structures_that_do_not_relax_count_as_not_converged():
    rows = [
        {
            "formula": "CuAu", "rank": rank, "distance": 2.0, "contact": 1.0, "distinct": True,
            "new_family": False, "new_prototype": False, "loose": None, "strict": None,
            "relaxed": {"state": state, "steps": 10, "energy": energy, "displacement": 0.1,
                        "loose": None, "strict": None},
        }
        for rank, (state, energy) in enumerate([("converged", -1.0), ("exploded", None)], start=1)
    ]  # fmt: skip
    part = {"formulas": [{"formula": "CuAu", "asked": 2, "made": 2, "seconds": 4.0}], "rows": rows}
    own = figures(part, {"CuAu": -1.2}, 0)
    assert own["relaxation"]["converged"]["mean"] == 0.5
    assert own["relaxation"]["states"] == {"converged": 1, "exploded": 1}
    assert own["relaxation"]["above"]["mean"] == pytest.approx(0.2)
    assert own["relaxation"]["near"]["mean"] == 0
    assert own["seconds"] == 2.0
    assert own["match"]["loose"] == {"1": 0.0, "2": 0.0}
    assert known_energies(part) == {"CuAu": -1.0}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"methods": "random,guess"}, "use some of"),
        ({"map": "NaCl"}, "no crystal of NaCl"),
        ({"atoms": "1"}, "raise atoms"),
    ],
)
def test_what_cannot_be_measured_is_said(table, options, message):
    with pytest.raises(InputError, match=message):
        measure("generators", request(table, **options))
