"""Two elements on the sites of one: colourings of known crystals."""

from itertools import combinations
from math import comb

import numpy as np
import pytest
from pymatgen.analysis.structure_matcher import StructureMatcher

from screening.crystal.crystals import primitive_cell, standardise, structure_of
from screening.prototypes.bank import Bank
from screening.prototypes.build import cell_of_structure
from screening.prototypes.ordered_derivatives import colourings, likely_pairs, site_permutations
from screening.prototypes.proposals import Way, find_candidates
from screening.prototypes.substitution import SubstitutionModel
from screening.structure.prototypes import PrototypeGenerator
from screening.structure.request import Target

MATCHER = StructureMatcher()


def sites_of(structure, number):
    """Crystal, and places of an element in its primitive cell."""
    crystal = standardise(cell_of_structure(structure))
    return crystal, np.flatnonzero(primitive_cell(crystal)[2] == number)


@pytest.mark.parametrize("structure", range(0, 288, 9))
def test_operations_permute_sites_and_form_a_group(aflow_structures, structure):
    crystal = standardise(cell_of_structure(aflow_structures[structure]))
    numbers = primitive_cell(crystal)[2]
    if len(numbers) > 24:
        pytest.skip("a large cell")
    permutations = site_permutations(crystal, np.arange(len(numbers)))
    known = {tuple(row) for row in permutations.tolist()}
    assert tuple(range(len(numbers))) in known
    assert (np.sort(permutations, axis=1) == np.arange(len(numbers))).all()
    assert (numbers[permutations] == numbers).all()
    for first in permutations[:4]:
        assert {tuple(first[list(second)]) for second in known} == known


@pytest.mark.parametrize("k", [1, 2, 3])
def test_ways_and_equivalents_add_up_to_all_choices(make, k):
    crystal, sites = sites_of(make.rutile("Ti", "O") * (1, 1, 2), 8)
    crystal, sites = (crystal, sites) if len(sites) > 3 else sites_of(make.rutile("Ti", "O"), 8)
    permutations = site_permutations(crystal, sites)
    chosen, sizes = colourings(permutations, k, 1000)
    assert sizes.sum() == comb(len(sites), k)
    assert (chosen.sum(axis=1) == k).all()
    assert (np.diff(sizes) >= 0).all()
    # Burnside: the number of ways is the mean number of choices that an operation keeps
    every = [frozenset(choice) for choice in combinations(range(len(sites)), k)]
    kept = [sum({row[i] for i in c} == c for c in every) for row in permutations.tolist()]
    assert len(chosen) == np.mean(kept)


def test_equivalent_ways_are_the_same_crystal(make):
    crystal, sites = sites_of(make.perovskite("Sr", "Ti", "O"), 8)
    permutations = site_permutations(crystal, sites)
    for k in (1, 2):
        chosen, sizes = colourings(permutations, k, 10)
        assert (len(chosen), sizes.tolist()) == (1, [3])
    assert not len(colourings(permutations, 3, 10)[0])  # nothing is left for the other element
    assert not len(colourings(permutations, 0, 10)[0])
    many = np.arange(40)[None]
    assert not len(colourings(many, 20, 10)[0])  # too many to go through
    assert len(colourings(many, 1, 100)[0]) == 40


def test_pairs_are_ordered_by_likeness():
    pairs = likely_pairs({38: 1, 56: 1, 22: 2, 8: 6}, SubstitutionModel.from_properties(), 3)
    assert (pairs[0].host, pairs[0].guest) == (38, 56)  # as frequent: the lighter one
    assert [pair.distance for pair in pairs] == sorted(pair.distance for pair in pairs)
    assert len(pairs) == 3


def test_an_ordered_compound_comes_from_a_simpler_one(make):
    """SrBaTi2O6 with layers of Sr and Ba, from a doubled SrTiO3 that is slightly distorted."""
    doubled = make.perovskite("Sr", "Ti", "O") * (1, 1, 2)
    doubled.translate_sites([2], [0, 0, 0.03])  # one of two Ti: the cell is now primitive
    bank = Bank.from_structures([doubled])
    found = find_candidates(bank, {38: 1, 56: 1, 22: 2, 8: 6}, [10])
    ordered = [item for item in found.proposed if item.way is Way.ORDERED]
    wanted = doubled.copy()
    wanted[0] = "Ba"
    hits = [item for item in ordered if MATCHER.fit(structure_of(item.cell), wanted)]
    assert hits
    assert {(38, 56)} == {(i.sharing.pair.host, i.sharing.pair.guest) for i in hits}
    assert all(item.crystal.n_atoms == len(item.cell[2]) == 10 for item in ordered)
    volumes = [abs(np.linalg.det(item.cell[0])) / 10 for item in ordered]
    assert volumes == pytest.approx([item.crystal.volume_per_atom for item in ordered])


def test_a_left_out_compound_is_no_parent_of_itself(make):
    bank = Bank.from_structures([make.perovskite("Sr", "Ti", "O")])
    composition = {38: 1, 22: 1, 8: 2, 7: 1}
    assert any(i.way is Way.ORDERED for i in find_candidates(bank, composition, [5]).proposed)
    none = find_candidates(bank, composition, [5], without="SrTiO3")
    assert not any(item.way is Way.ORDERED for item in none.proposed)


def test_proposals_say_what_is_shared_and_which_group_is_left(make):
    bank = Bank.from_structures([make.perovskite("Sr", "Ti", "O")])
    generator = PrototypeGenerator(bank, energies=False)
    proposals = generator.generate(Target("SrTiNO2", units=(1,)), 20)
    shared = [p.parameters for p in proposals if p.parameters["shared"]]
    assert shared
    assert {"O", "N"} == set(shared[0]["shared"])
    assert shared[0]["space_group"] == 123
