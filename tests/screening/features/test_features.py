"""The 228 descriptors against matminer (frozen values, and live) and by property."""

import json
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from screening.composition import CompositionArray, parse_formula
from screening.elements import common_oxidation_states, symbols
from screening.errors import InputError
from screening.features import N_FEATURES, composition_features, feature_names
from screening.features.ionic import compound_possible

REFERENCE = json.loads((Path(__file__).parent / "reference.json").read_text())
ELEMENTS = slice(124, 227)


def features(*formulas, dtype=np.float64):
    return composition_features(CompositionArray.from_formulas(formulas), dtype=dtype)


def random_formulas(n, seed, width=6, largest=9):
    rng = np.random.default_rng(seed)
    names = np.array(symbols()[1:])
    return [
        "".join(
            f"{symbol}{count}"
            for symbol, count in zip(
                rng.choice(names, size=k, replace=False),
                rng.integers(1, largest, size=k),
                strict=True,
            )
        )
        for k in rng.integers(1, width, size=n)
    ]


@pytest.mark.parametrize("formula", REFERENCE["values"])
def test_frozen_reference_values(formula):
    row = features(formula)[0]
    expected = REFERENCE["values"][formula]
    np.testing.assert_allclose(np.delete(row, np.r_[ELEMENTS]), expected, rtol=1e-9, atol=1e-9)


def test_equals_matminer_live():
    pytest.importorskip("matminer")
    from matminer.featurizers.composition import (
        BandCenter,
        ElementFraction,
        ElementProperty,
        IonProperty,
        Stoichiometry,
        ValenceOrbital,
    )
    from pymatgen.core import Composition

    magpie = ElementProperty.from_preset("magpie")
    magpie.stats = [stat for stat in magpie.stats if stat != "mode"]
    featurizers = [
        magpie,
        Stoichiometry(),
        ValenceOrbital(props=["frac"]),
        IonProperty(fast=True),
        BandCenter(),
        ElementFraction(),
    ]
    formulas = [*random_formulas(150, seed=1), *symbols()[1:]]
    compositions = [Composition(formula) for formula in formulas]
    expected = np.array(
        [[x for f in featurizers for x in f.featurize(c)] for c in compositions], dtype=float
    )
    labels = [str(label) for f in featurizers for label in f.feature_labels()]
    got = features(*formulas)
    assert feature_names()[:227] == labels[:227]
    np.testing.assert_allclose(got[:, :227], expected[:, :227], rtol=1e-6, atol=1e-6)


def test_names_and_shape():
    names = feature_names()
    assert len(names) == len(set(names)) == N_FEATURES == 228
    assert features("NaCl", dtype=np.float32).dtype == np.float32
    assert composition_features(CompositionArray.from_formulas([])).shape == (0, 228)


def test_element_fractions_and_components():
    row = features("Al2O3")[0]
    names = feature_names()
    assert row[names.index("Al")] == pytest.approx(0.4)
    assert row[names.index("O")] == pytest.approx(0.6)
    assert row[ELEMENTS].sum() == pytest.approx(1)
    assert row[names.index("NComp")] == row[names.index("0-norm")] == 2


def test_multiples_of_a_formula_are_equal():
    formulas = random_formulas(50, seed=2)
    compositions = CompositionArray.from_formulas(formulas)
    doubled = CompositionArray(compositions.numbers, compositions.counts * 2)
    np.testing.assert_allclose(
        composition_features(compositions, dtype=np.float64),
        composition_features(doubled, dtype=np.float64),
        rtol=1e-12,
        atol=1e-12,
    )


def test_rows_do_not_depend_on_their_neighbours():
    formulas = random_formulas(300, seed=3)
    together = features(*formulas)
    alone = np.concatenate([features(formula) for formula in formulas])
    np.testing.assert_array_equal(together, alone)


def test_no_missing_values_for_any_element():
    assert np.isfinite(features(*symbols()[1:])).all()


def test_statistics_are_consistent():
    values = features(*random_formulas(200, seed=4))[:, :110].reshape(-1, 22, 5)
    low, high, spread, mean, deviation = np.moveaxis(values, 2, 0)
    np.testing.assert_allclose(spread, high - low)
    assert (low <= mean + 1e-9).all()
    assert (mean <= high + 1e-9).all()
    assert (deviation <= spread / 2 + 1e-9).all()


def test_charge_search_equals_brute_force():
    formulas = [f for f in random_formulas(400, seed=5) if len(parse_formula(f)) > 1]
    states = common_oxidation_states()
    possible = feature_names().index("compound possible")
    got = features(*formulas)[:, possible]
    for formula, value in zip(formulas, got, strict=True):
        counts = parse_formula(formula)
        sums = (
            sum(q * n for q, n in zip(charges, counts.values(), strict=True))
            for charges in product(*(states[z] for z in counts))
        )
        assert value == any(total == 0 for total in sums), formula


def test_charge_search_of_many_elements_ends():
    """Sixty elements have about 1e16 combinations of states; one of them is made neutral."""
    states = common_oxidation_states()
    numbers = np.array([[z for z in range(9, 70) if states[z]] + [8]])
    counts = np.full(numbers.shape, 2.0)
    counts[0, -1] = sum(states[z][-1] for z in numbers[0, :-1])
    assert compound_possible(numbers, counts)[0]
    counts[0, -1] *= 100
    assert not compound_possible(numbers, counts)[0]


def test_empty_row_is_refused():
    empty = CompositionArray(np.array([[0]], np.uint8), np.array([[0]], np.uint16))
    with pytest.raises(InputError, match="composition 0 has no elements"):
        composition_features(empty)
