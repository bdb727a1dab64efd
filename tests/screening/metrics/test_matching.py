import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from screening.metrics.matching import Matches, matcher, rms_distance


def caesium_chloride(first="Cs", second="Cl", a=4.1, z=0.5):
    return Structure(Lattice.cubic(a), [first, second], [[0, 0, 0], [0.5, 0.5, z]])


def test_equal_crystals_in_other_cells_match():
    structure, other = caesium_chloride(), caesium_chloride(a=5.0)
    other.make_supercell([1, 2, 1])
    assert rms_distance(structure, other, "strict") == pytest.approx(0, abs=1e-8)


def test_other_compositions_do_not_match():
    assert np.isnan(rms_distance(caesium_chloride(), caesium_chloride("Na"), "loose"))


def test_distance_is_that_of_pymatgen():
    structure, other = caesium_chloride(), caesium_chloride(z=0.44)
    expected = matcher("loose").get_rms_dist(structure, other)[0]
    assert rms_distance(structure, other, "loose") == pytest.approx(expected)
    assert expected > 0.02


def test_strict_refuses_what_loose_accepts():
    structure = caesium_chloride()
    stretched = Structure(Lattice.tetragonal(4.1, 5.6), ["Cs", "Cl"], [[0, 0, 0], [0.5] * 3])
    assert np.isfinite(rms_distance(structure, stretched, "loose"))
    assert np.isnan(rms_distance(structure, stretched, "strict"))


@pytest.fixture
def matches():
    good, bad = caesium_chloride(), caesium_chloride("Na")
    shifted = caesium_chloride(z=0.47)
    references = [good, good, good, good]
    return Matches.of(references, [[good], [bad, shifted, good], [bad] * 9, []], top_k=6)


def test_rates(matches):
    assert matches.rates()["loose"] == {"1": 0.25, "5": 0.5, "6": 0.5}
    assert matches.rates()["strict"] == {"1": 0.25, "5": 0.5, "6": 0.5}
    assert matches.hits("loose", 1).tolist() == [True, False, False, False]


def test_rmse_is_of_the_best_ranked_match(matches):
    shifted = rms_distance(caesium_chloride(), caesium_chloride(z=0.47), "loose")
    assert matches.rmse()["loose"] == pytest.approx(shifted / 2)
    assert matches.closest()["loose"] == pytest.approx(0, abs=1e-8)


def test_intervals_hold_the_rates(matches):
    intervals = matches.intervals(seed=3)
    for rank, rate in matches.rates()["loose"].items():
        low, high = intervals["loose"][rank]
        assert low <= rate <= high
    assert intervals == matches.intervals(seed=3)


def test_nothing_to_measure():
    empty = Matches.of([], [], top_k=20)
    assert list(empty.rates()["loose"]) == ["1", "5", "20"]
    assert all(np.isnan(rate) for rate in empty.rates()["loose"].values())
    assert empty.rmse() == {"loose": None, "strict": None}
