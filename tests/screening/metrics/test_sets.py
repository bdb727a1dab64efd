import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from screening.metrics.matching import Matches, rms_distance
from screening.metrics.sets import Coverage, space_group, space_group_agreement


def caesium_chloride(z=0.5, second="Cl"):
    return Structure(Lattice.cubic(4.1), ["Cs", second], [[0, 0, 0], [0.5, 0.5, z]])


def rock_salt():
    lattice = Lattice(3.25 * np.array([[0, 1, 1], [1, 0, 1], [1, 1, 0]]))
    return Structure(lattice, ["Cs", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])


def test_polymorphs_found_for_each_other_count_in_metre_only():
    references = [caesium_chloride(), rock_salt()]
    swapped = [[rock_salt()], [caesium_chloride()]]
    assert Matches.of(references, swapped, 1).rates()["loose"]["1"] == 0
    coverage = Coverage.of(references, [s for ranked in swapped for s in ranked])
    assert coverage.metre() == {"loose": 1.0, "strict": 1.0}
    assert coverage.crmse()["strict"] == pytest.approx(0, abs=1e-8)


def test_one_polymorph_again_and_again():
    coverage = Coverage.of([caesium_chloride(), rock_salt()], [caesium_chloride()] * 2)
    assert coverage.metre()["loose"] == 0.5
    assert coverage.crmse() == {"loose": pytest.approx(0.25), "strict": pytest.approx(0.15)}


def test_the_nearest_prediction_counts():
    predictions = [caesium_chloride(0.44), caesium_chloride(0.47), caesium_chloride(second="Br")]
    coverage = Coverage.of([caesium_chloride()], predictions)
    nearest = rms_distance(caesium_chloride(), caesium_chloride(0.47), "loose")
    assert coverage.rms["loose"] == pytest.approx([nearest])
    low, high = coverage.intervals(seed=0)["loose"]["crmse"]
    assert low == pytest.approx(high)


def test_no_references():
    empty = Coverage.of([], [caesium_chloride()])
    assert np.isnan(empty.metre()["loose"])
    assert np.isnan(empty.crmse()["loose"])


def test_space_groups(disguise):
    assert space_group(caesium_chloride()) == 221
    assert space_group(disguise(rock_salt())) == 225
    assert space_group(caesium_chloride(0.49), symprec=0.01) == 99
    agreement = space_group_agreement(
        [caesium_chloride(), caesium_chloride(), rock_salt()],
        [disguise(caesium_chloride()), None, caesium_chloride()],
    )
    assert agreement == pytest.approx(1 / 3)
    assert np.isnan(space_group_agreement([], []))
