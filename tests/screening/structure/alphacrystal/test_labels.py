"""Distances, contacts and orders of atoms."""

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from screening.features.alphacrystal import FEATURES, element_features
from screening.metrics.contacts import covalent_contacts
from screening.prototypes.build import cell_of_structure
from screening.structure.alphacrystal.alignment import align
from screening.structure.alphacrystal.labels import (
    atom_order,
    bin_edges,
    cell_distances,
    kinds_of,
    vesta_contacts,
    vesta_limits,
)


def skewed(rng: np.random.Generator) -> Structure:
    lattice = Lattice.from_parameters(4.1, 5.2, 9.3, 62, 110, 98)
    return Structure(lattice, ["Sr", "Ti", "O", "O", "O", "O"], rng.random((6, 3)))


def test_distances_are_those_of_nearest_images():
    structure = skewed(np.random.default_rng(0))
    sheared = structure.copy(sanitize=False)
    sheared.make_supercell([[1, 0, 0], [3, 1, 0], [0, -2, 1]], to_unit_cell=False)
    for one in (structure, sheared):
        found = cell_distances(cell_of_structure(one))
        assert found == pytest.approx(one.distance_matrix, abs=1e-6)


def test_contacts_follow_the_radii_and_spare_metals():
    numbers = np.array([11, 11, 17])  # 1.66, 1.66 and 1.02 Angstrom
    distances = np.array([[0, 3.3, 2.4], [3.3, 0, 3.1], [2.4, 3.1, 0]])
    expected = np.array([[0, 0, 1], [0, 0, 0], [1, 0, 0]], dtype=bool)
    assert (covalent_contacts(distances, numbers) == expected).all()


def test_vesta_contacts_have_no_lower_limit():
    limits = vesta_limits()
    assert limits[22, 8] == limits[8, 22] > 2.0
    assert limits[11, 11] == 0
    numbers, short = np.array([22, 8]), np.array([[0, 0.5], [0.5, 0]])
    assert vesta_contacts(short, numbers)[0, 1]
    assert not vesta_contacts(short * 8, numbers).any()


def test_the_order_of_atoms_does_not_depend_on_the_file():
    rng = np.random.default_rng(1)
    structure = skewed(rng)
    numbers, distances = np.array(structure.atomic_numbers), structure.distance_matrix
    order = atom_order(numbers, distances)
    assert numbers[order].tolist() == [38, 22, 8, 8, 8, 8]
    shuffled = rng.permutation(6)
    other = atom_order(numbers[shuffled], distances[shuffled][:, shuffled])
    first, second = distances[order][:, order], distances[shuffled[other]][:, shuffled[other]]
    assert first == pytest.approx(second)


def test_alignment_finds_the_permutation():
    rng = np.random.default_rng(2)
    structure = skewed(rng)
    distances, kinds = structure.distance_matrix, kinds_of(np.array(structure.atomic_numbers))
    shuffled = np.array([0, 1, 4, 2, 5, 3])
    moving = np.ascontiguousarray(distances[shuffled][:, shuffled])
    order = align(distances, moving, kinds, 8)
    assert moving[order][:, order] == pytest.approx(distances)
    assert (kinds[order] == kinds).all()


def test_features_are_standardised_or_as_printed():
    features, legacy = element_features(), element_features(legacy=True)
    assert features.shape == legacy.shape == (104, 11)
    assert features[1:].mean(axis=0) == pytest.approx(np.zeros(11), abs=0.2)
    gadolinium = dict(zip(FEATURES, legacy[64], strict=True))
    assert gadolinium["covalent_radius"] == pytest.approx(196)
    assert (gadolinium["period"], gadolinium["group"]) == (8, 10)
    argon = dict(zip(FEATURES, legacy[18], strict=True))
    assert (argon["heat_of_formation"], argon["pymatgen_electronegativity"]) == (105, 3)
    assert np.isfinite(legacy).all()


def test_bins():
    assert bin_edges(5, (0.9488, 23.3361))[1] == pytest.approx(5.4263, abs=1e-3)
