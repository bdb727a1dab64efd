"""Symmetry and maps together: crystals from a composition alone."""

import pytest
from pymatgen.core import Lattice, Structure

from screening.errors import InputError
from screening.evaluation.alphacrystal import from_composition
from screening.evaluation.alphacrystal.from_composition import (
    MatchOptions,
    _figures,
    measure_matches,
)
from screening.structure.request import Proposal
from screening.training.request import EvaluateRequest, parse_options


def rock_salt(a, *, swapped=False):
    species = ["Cl", "Na"] if swapped else ["Na", "Cl"]
    return Structure.from_spacegroup(225, Lattice.cubic(a), species, [[0, 0, 0], [0.5, 0.5, 0.5]])


@pytest.fixture
def proposed():
    primitive = rock_salt(5.7).get_primitive_structure()
    wrong = Structure(Lattice.cubic(3.3), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    return primitive, [[Proposal(wrong), Proposal(primitive)], []]


def test_a_match_counts_from_its_rank_on(proposed):
    reference, ranked = proposed
    rows = [{"formula": "NaCl"}, {"formula": "NaCl"}]
    result = _figures([reference, reference], ranked, 10, 0, rows, "contact-map")
    assert result["match"]["loose"] == {"1": 0.0, "5": 0.5, "10": 0.5}
    assert result["n_without_proposal"] == 1
    low, high = result["match_interval"]["loose"]["10"]
    assert 0 <= low <= 0.5 <= high <= 1
    assert rows[0]["contact-map"]["rank"] == 2
    assert rows[1]["contact-map"]["rank"] is None
    assert rows[0]["contact-map"]["superpose_of_10"] == pytest.approx(0, abs=1e-5)
    assert rows[1]["contact-map"]["superpose_of_10"] is None


def test_table_4_takes_the_best_of_the_proposals(proposed):
    reference, ranked = proposed
    table = from_composition._table_4([reference], ranked, None, "distance-matrix")
    assert table["superpose"] == pytest.approx(0, abs=1e-5)
    assert table["energy"] is None
    assert table["paper"] == from_composition.PAPER_TABLE_4["distance-matrix"]


def test_options():
    assert parse_options(MatchOptions, {"methods": "contact-map"}).methods == ("contact-map",)
    with pytest.raises(InputError, match="use some of"):
        parse_options(MatchOptions, {"methods": "random"})
    with pytest.raises(InputError, match="match=0"):
        measure_matches(EvaluateRequest(data=None), 0)
