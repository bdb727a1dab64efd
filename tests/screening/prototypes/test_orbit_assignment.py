"""Frameworks that take elements across their classes."""

import itertools

import numpy as np
import pytest
from pymatgen.analysis.structure_matcher import StructureMatcher

from screening.crystal.crystals import structure_of
from screening.prototypes.bank import Bank
from screening.prototypes.hautier import UNSEEN, log_substitution
from screening.prototypes.orbit_assignment import _assign, _is_plain
from screening.prototypes.proposals import Way, find_candidates

MATCHER = StructureMatcher()


def brute_force(multiplicities, classes, costs, counts):
    """All assignments in the plainest way, cheapest first."""
    found = []
    for choice in itertools.product(range(len(counts)), repeat=len(multiplicities)):
        amounts = [0] * len(counts)
        for m, e in zip(multiplicities, choice, strict=True):
            amounts[e] += m
        pairs = set(zip(classes, choice, strict=True))
        plain = len(pairs) == len(set(classes)) == len(set(choice))
        if amounts == list(counts) and not plain:
            found.append((sum(costs[o][e] for o, e in enumerate(choice)), choice))
    return sorted(found)


def test_assignments_are_the_cheapest_of_all():
    rng = np.random.default_rng(0)
    for _ in range(20):
        multiplicities = rng.choice([1, 2, 3], size=6)
        classes = rng.integers(0, 3, size=6)
        costs = rng.random((6, 3))
        owners = np.array([0, 1, 2, *rng.integers(0, 3, size=3)])
        counts = np.bincount(owners, multiplicities, minlength=3).astype(np.int64)
        expected = brute_force(multiplicities, classes, costs, counts)[:5]
        found, chosen, best = _assign(
            np.array([0, 6]), multiplicities, classes, costs, counts, (5, 10**6)
        )
        n = int((found == 0).sum())
        assert n == len(expected)
        assert best[:n] == pytest.approx([cost for cost, _ in expected])
        assert [tuple(row) for row in chosen[:n].tolist()] == [c for _, c in expected]


def test_plain_exchanges_are_told_apart():
    classes = np.array([0, 0, 1])
    assert _is_plain(classes, np.array([1, 1, 0]), 2)
    assert not _is_plain(classes, np.array([1, 0, 0]), 2)  # a class is split
    assert not _is_plain(classes, np.array([1, 1, 1]), 2)  # two classes become one


def tetragonal(make, *elements):
    """A perovskite with two orbits of anions."""
    structure = make.perovskite(*elements)
    structure.apply_strain([0, 0, 0.1])
    return structure


def test_an_ordered_variant_comes_from_its_parent(make):
    bank = Bank.from_structures([tetragonal(make, "Sr", "Ti", "O")])
    candidates = find_candidates(bank, {38: 1, 22: 1, 8: 2, 7: 1}, [5])
    assert all(item.way is not Way.RETRIEVED for item in candidates.proposed)
    recoloured = [item for item in candidates.proposed if item.way is Way.RECOLOURED]
    best = max(recoloured, key=lambda item: item.log_share)
    wanted = tetragonal(make, "Sr", "Ti", "O")
    wanted[2] = "N"  # alone on its orbit
    assert MATCHER.fit(structure_of(best.cell), wanted)
    assert find_candidates(bank, {38: 1, 22: 1, 8: 2, 7: 1}, [10]).proposed == []


def test_two_elements_become_one(make):
    """ReO3-like: an inverse perovskite framework with one element on two classes."""
    bank = Bank.from_structures([make.perovskite("Sr", "Ti", "O")])
    found = find_candidates(bank, {22: 4, 8: 1}, [5])
    merged = make.perovskite("Ti", "O", "Ti")
    assert any(MATCHER.fit(structure_of(item.cell), merged) for item in found.proposed)


def test_what_is_left_out_counts_nowhere(make):
    first, second = tetragonal(make, "Sr", "Ti", "O"), tetragonal(make, "K", "Zn", "F")
    bank = Bank.from_structures([first, second])
    composition = {22: 1, 38: 1, 8: 2, 9: 1}
    free, without = (
        bank.recolourings.best(composition, 5, without=formula) for formula in (None, "SrTiO3")
    )
    assert free
    assert without
    assert without[0].cost > free[0].cost
    only = Bank.from_structures([first])
    assert only.recolourings.best(composition, 5, without="SrTiO3") == []


def test_substitution_weights():
    weights = log_substitution()
    assert (weights == weights.T).all()
    assert weights[20, 38] > weights[20, 17] + 3  # Ca and Sr replace each other, Ca and Cl do not
    assert weights.min() == UNSEEN
    assert (np.diag(weights) >= 0).all()
