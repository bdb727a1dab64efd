"""Scores of templates and of all ways to put elements on them, against direct calculations."""

from collections import defaultdict
from itertools import product

import numpy as np
import pytest

from screening.elements import MAX_Z, atomic_number
from screening.errors import InputError
from screening.site_likelihood.compositions import LikelyCompositions
from screening.site_likelihood.substitution import Substitutions
from screening.site_likelihood.templates import Templates, template_scores


@pytest.fixture(scope="module")
def scores(small_bank):
    rng = np.random.default_rng(0)
    return rng.uniform(-8, 0, (len(small_bank.letters), MAX_Z + 1)).astype(np.float32)


def orbits(bank, prototype, class_):
    rows = np.arange(bank.orbit_start[prototype], bank.orbit_start[prototype + 1])
    return rows[bank.classes[rows] == class_]


def test_product_is_the_sum_over_all_sites(small_bank, scores):
    table = template_scores(small_bank, scores, "product")
    for prototype in range(small_bank.n_prototypes):
        for class_ in range(table.shape[1]):
            expected = scores[orbits(small_bank, prototype, class_)].sum(axis=0)
            assert table[prototype, class_] == pytest.approx(expected, abs=1e-4)


def test_classes_are_means_and_known_templates_are_likelier(small_bank, scores):
    known = np.zeros(len(small_bank), dtype=bool)
    known[:3] = True
    table = template_scores(small_bank, scores, "classes", known=known)
    for prototype in range(small_bank.n_prototypes):
        amount = (small_bank.prototypes[:3] == prototype).sum()
        expected = scores[orbits(small_bank, prototype, 0)].mean(axis=0) + np.log(amount + 0.5)
        assert table[prototype, 0] == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("system", [(3, 8), (11, 22, 8), (17,)])
def test_best_of_each_composition_is_that_of_all_ways(small_bank, scores, system):
    table = template_scores(small_bank, scores, "product")
    expected = defaultdict(lambda: -np.inf)
    for prototype in range(small_bank.n_prototypes):
        counts = small_bank.class_counts[prototype]
        counts = counts[counts > 0]
        for way in product(system, repeat=len(counts)):
            if set(way) == set(system):
                amounts = np.array([counts[np.array(way) == z].sum() for z in sorted(system)])
                key = tuple((amounts // np.gcd.reduce(amounts)).tolist())
                total = sum(table[prototype, c, z] for c, z in enumerate(way))
                expected[key] = max(expected[key], total)
    ranked = LikelyCompositions(small_bank, table).of(system)
    found = dict(zip(map(tuple, ranked.counts.tolist()), ranked.scores.tolist(), strict=True))
    assert found == pytest.approx(dict(expected), abs=1e-4)
    assert (np.diff(ranked.scores) <= 0).all()
    for place, (prototype, assigned) in enumerate(
        zip(ranked.prototypes, ranked.assigned, strict=True)
    ):
        total = sum(table[prototype, c, z] for c, z in enumerate(assigned) if z)
        assert total == pytest.approx(ranked.scores[place], abs=1e-4)


def test_too_many_elements(small_bank):
    with pytest.raises(InputError, match="no prototype of the bank takes 4 elements"):
        Substitutions.of(small_bank, 4)
    with pytest.raises(InputError, match="7 elements"):
        Substitutions.of(small_bank, 7)


def test_known_crystals_are_found_and_ranked(small_bank):
    templates = Templates(small_bank)
    scores = np.full((len(small_bank.letters), MAX_Z + 1), -5.0, dtype=np.float32)
    decoration = small_bank.formulas.index("SrTiO3")
    prototype = int(small_bank.prototypes[decoration])
    elements = tuple(small_bank.elements[decoration].tolist())
    crystal = small_bank.decorated(prototype, elements, 12.0)
    assert templates.find(crystal) == (prototype, elements)
    places = [int(orbits(small_bank, prototype, c)[0]) for c in range(3)]
    for place, element in zip(places, elements, strict=True):
        scores[place, element] = -1.0
    table = template_scores(small_bank, scores, "product")
    assert templates.rank(table, prototype, elements) == 1
    swapped = (elements[1], elements[0], elements[2])  # Sr and Ti exchanged: the other candidate
    assert templates.rank(table, prototype, swapped) == 2
    flat = template_scores(small_bank, np.full_like(scores, -5.0), "product")
    assert templates.rank(flat, prototype, elements) == 1.5  # two equals share ranks 1 and 2


def test_a_crystal_without_template_is_not_found(small_bank, make):
    wurtzite = make.wurtzite("Zn", "O")
    crystal = small_bank.from_structures([wurtzite]).crystal(0)
    assert Templates(small_bank).find(crystal) is None


def test_elements_of_a_system_are_in_every_composition(small_bank, scores):
    table = template_scores(small_bank, scores, "classes")
    ranked = LikelyCompositions(small_bank, table).of([atomic_number("Na"), atomic_number("Cl")])
    formulas = ranked.compositions().formulas()
    assert "NaCl" in formulas
    assert len(set(formulas)) == len(formulas)
    assert (ranked.counts > 0).all()
