import numpy as np
import pytest

from screening.composition import CompositionArray
from screening.stability.neighbours import Neighbours


@pytest.fixture(scope="module")
def halides():
    known = ["NaCl", "KCl", "KBr", "RbI", "MgO"]
    distances = np.array([0.0, 0.0, 0.0, 0.0, 0.3])
    return Neighbours(CompositionArray.from_formulas(known), distances)


def test_a_composition_is_not_its_own_neighbour():
    lonely = Neighbours(CompositionArray.from_formulas(["NaCl"]), np.array([0.0]))
    share, distance, weight, *_, number = lonely.statistics(
        CompositionArray.from_formulas(["Na2Cl2"])
    )[0]
    assert (share, distance) == pytest.approx((0.4, 0.1))  # nothing but the assumed means
    assert weight == pytest.approx(np.log(1e-3))
    assert number == 0


def test_like_elements_count_most(halides):
    like, unlike = halides.statistics(CompositionArray.from_formulas(["NaBr", "CaO"]))
    assert like[0] > unlike[0] + 0.2
    assert like[1] < unlike[1] - 0.05


def test_other_stoichiometry_has_no_neighbours(halides):
    row = halides.statistics(CompositionArray.from_formulas(["CaCl2"]))[0]
    assert row[0] == pytest.approx(0.4)
    assert row[-1] == 0


def test_order_of_the_batch_does_not_matter(halides):
    formulas = ["NaBr", "CaCl2", "CaO", "LiF"]
    forward = halides.statistics(CompositionArray.from_formulas(formulas))
    backward = halides.statistics(CompositionArray.from_formulas(formulas[::-1]))
    assert forward == pytest.approx(backward[::-1])
