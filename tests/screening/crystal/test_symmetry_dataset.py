import numpy as np
import pytest
from spglib import error

from screening.crystal.symmetry_dataset import symmetry_dataset
from screening.schemas.structure import SpaceGroupDoc


@pytest.mark.parametrize("old", [True, False])
def test_no_symmetry_is_none_whatever_other_packages_have_set(monkeypatch, old):
    monkeypatch.setattr(error, "OLD_ERROR_HANDLING", old)
    overlapping = [[0, 0, 0], [0, 0, 0.0001]]
    assert symmetry_dataset(np.eye(3) * 4, overlapping, [11, 11], 0.1) is None


def test_the_setting_can_be_asked_for():
    cell = (np.eye(3) * 4, [[0, 0, 0], [0.5, 0.5, 0.5]], [55, 17])
    assert symmetry_dataset(*cell, 0.01).number == 221
    assert symmetry_dataset(*cell, 0.01, hall_number=517).hall_number == 517


def test_space_groups_are_described(wurtzite):
    described = SpaceGroupDoc.from_structure(wurtzite)
    assert (described.number, described.symbol) == (186, "P6_3mc")
    assert described.crystal_system == "hexagonal"


@pytest.fixture
def wurtzite():
    from pymatgen.core import Lattice, Structure

    sites = [[1 / 3, 2 / 3, 0], [2 / 3, 1 / 3, 0.5], [1 / 3, 2 / 3, 0.38], [2 / 3, 1 / 3, 0.88]]
    return Structure(Lattice.hexagonal(3.25, 5.2), ["Zn", "Zn", "O", "O"], sites)
