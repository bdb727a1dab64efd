"""Packed compositions: parsing, writing, and what a user can get wrong."""

import numpy as np
import pytest
from pymatgen.core import Composition

from screening.composition import (
    MAX_COUNT,
    CompositionArray,
    chemical_system,
    parse_formula,
    pretty_formula,
)
from screening.elements import symbols
from screening.errors import InputError


def random_counts(n, seed=0, max_elements=8, max_count=300):
    rng = np.random.default_rng(seed)
    return [
        {
            int(z): int(rng.integers(1, max_count + 1))
            for z in rng.choice(np.arange(1, 104), size=rng.integers(1, max_elements + 1))
        }
        for _ in range(n)
    ]


@pytest.mark.parametrize(
    ("formula", "counts"),
    [
        ("H", {1: 1}),
        ("Fe2O3", {26: 2, 8: 3}),
        (" NaCl ", {11: 1, 17: 1}),
        ("CO", {6: 1, 8: 1}),
        ("Co", {27: 1}),
        ("CHONa", {6: 1, 1: 1, 8: 1, 11: 1}),
        ("CH3CH3", {6: 2, 1: 6}),
        ("Fe2(SO4)3", {26: 2, 16: 3, 8: 12}),
        ("K4[Fe(CN)6]3", {19: 4, 26: 3, 6: 18, 7: 18}),
        ("Mg(OH)2", {12: 1, 8: 2, 1: 2}),
        (f"LiO{MAX_COUNT}", {3: 1, 8: MAX_COUNT}),
    ],
)
def test_parse(formula, counts):
    assert parse_formula(formula) == counts


@pytest.mark.parametrize(
    "formula",
    [
        "",
        "  ",
        "fe2o3",
        "Fe2O3!",
        "Fe 2",
        "Li0.5CoO2",
        "Xx2O3",
        "2NaCl",
        "Na(Cl",
        "Na)Cl(",
        "Fe2(SO4]3)",
        "()",
        "NaCl0",
        f"LiO{MAX_COUNT + 1}",
        "Na-Cl",
        "Na+",
        "D2O",
        None,
    ],
)
def test_a_bad_formula_is_named(formula):
    with pytest.raises(InputError) as error:
        parse_formula(formula)
    assert "\n" not in str(error.value)


def test_formulas_and_counts_go_back_and_forth():
    packed = CompositionArray.from_counts(random_counts(500))
    again = CompositionArray.from_formulas(packed.formulas())
    assert (again.numbers == packed.numbers).all()
    assert (again.counts == packed.counts).all()


def test_parsing_agrees_with_pymatgen():
    names = symbols()
    for formula in CompositionArray.from_counts(random_counts(300, seed=1)).formulas():
        theirs = Composition(formula).get_el_amt_dict()
        assert {names[z]: n for z, n in parse_formula(formula).items()} == theirs


def test_rows_are_ascending_and_padded():
    packed = CompositionArray.from_formulas(["O2Ti", "Na", "LiFePO4"])
    assert packed.numbers.tolist() == [[8, 22, 0, 0], [11, 0, 0, 0], [3, 8, 15, 26]]
    assert packed.counts.tolist() == [[2, 1, 0, 0], [1, 0, 0, 0], [1, 4, 1, 1]]
    assert packed.numbers.dtype == np.uint8
    assert packed.counts.dtype == np.uint16
    assert len(packed) == 3


def test_reduced_and_sizes():
    packed = CompositionArray.from_formulas(["Fe4O6", "NaCl", "H300"])
    reduced = packed.reduced()
    assert reduced.formulas() == ["Fe2O3", "NaCl", "H"]
    assert packed.n_atoms().tolist() == [10, 2, 300]
    assert packed.n_elements().tolist() == [2, 2, 1]
    assert packed.fractions() == pytest.approx(reduced.fractions())
    assert packed.fractions().sum(axis=1) == pytest.approx(1.0)


def test_elements_are_written_by_electronegativity():
    assert CompositionArray.from_formulas(["O4PFeLi", "ClNa", "HeH"]).formulas() == [
        "LiFePO4",
        "NaCl",
        "HHe",
    ]


def test_concatenate_different_widths():
    parts = [CompositionArray.from_formulas(f) for f in (["NaCl"], ["LiFePO4", "H2"], [])]
    joined = CompositionArray.concatenate(parts)
    assert joined.formulas() == ["NaCl", "LiFePO4", "H2"]
    assert len(CompositionArray.concatenate([])) == 0


def test_unique_keeps_the_first_and_the_order():
    packed = CompositionArray.from_formulas(["TiO2", "NaCl", "TiO2", "H", "NaCl", "Ti2O4"])
    assert packed.unique().formulas() == ["TiO2", "NaCl", "H", "Ti2O4"]
    assert packed.reduced().unique().formulas() == ["TiO2", "NaCl", "H"]
    many = CompositionArray.from_counts(random_counts(2000, max_elements=2, max_count=2))
    assert sorted(many.unique().formulas()) == sorted(set(many.formulas()))
    assert len(CompositionArray.concatenate([]).unique()) == 0


def test_keys_are_equal_for_equal_rows_only():
    packed = CompositionArray.from_formulas(["TiO2", "Ti2O", "O2Ti", "NaCl"])
    keys = packed.keys()
    assert keys[0] == keys[2]
    assert len({bytes(key) for key in keys}) == 3


def test_selection():
    packed = CompositionArray.from_formulas(["TiO2", "NaCl", "H2O"])
    assert packed[1:].formulas() == ["NaCl", "H2O"]
    assert packed[np.array([True, False, True])].formulas() == ["TiO2", "H2O"]
    assert packed[np.array([2, 0])].formulas() == ["H2O", "TiO2"]


def test_pretty_formula_and_chemical_system():
    assert pretty_formula("Fe4S6O24") == "Fe2(SO4)3"
    assert pretty_formula("O4PFeLi") == "LiFePO4"
    assert chemical_system("LiFePO4") == "Fe-Li-O-P"
