"""Fingerprints of sites: against a direct calculation, and what must not change them."""

from dataclasses import replace

import numpy as np
import pytest

from screening.crystal.crystals import primitive_cell, standardise, structure_of
from screening.site_likelihood.site_descriptors import (
    BINS,
    OFFSETS,
    POINTS,
    REACH,
    Sites,
    fingerprints,
    smearing,
)


def crystal_of(structure):
    numbers = np.array(structure.atomic_numbers)
    return standardise((structure.lattice.matrix.copy(), structure.frac_coords.copy(), numbers))


@pytest.fixture(scope="module")
def crystals(make):
    return [crystal_of(s) for s in (make.rutile("Ti", "O"), make.perovskite("Sr", "Ti", "O"))]


def test_sites_are_the_orbits(crystals):
    sites = Sites.of(crystals)
    assert sites.species.tolist() == [z for c in crystals for z in c.species]
    assert sites.crystals.tolist() == [0, 0, 1, 1, 1]
    assert sites.shares[:2].sum() == pytest.approx(1)
    for site, atom in enumerate(sites.atoms):
        structure = structure_of(primitive_cell(crystals[sites.crystals[site]]))
        place = sites.positions[atom]
        distances = sorted(n.nn_distance for n in structure.get_sites_in_sphere(place, 5.0))
        assert sites.nearest[site] == pytest.approx(distances[1])
    assert sites.ratios.max() == pytest.approx(1)
    assert sites.ratios[2] == pytest.approx(1 / np.sqrt(2))  # Sr in SrTiO3: a/2 over a/sqrt(2)


def test_fingerprint_is_that_of_all_neighbours(crystals):
    sites = Sites.of(crystals)
    corners = np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]]) / np.sqrt(3)
    points = np.concatenate([radius * corners for radius in OFFSETS])
    calculated = fingerprints(sites)
    for site in (1, 2):
        structure = structure_of(primitive_cell(crystals[sites.crystals[site]]))
        nearest, place = sites.nearest[site], sites.positions[sites.atoms[site]]
        around = structure.get_sites_in_sphere(place, 6.5 * nearest)
        others = np.array([n.coords - place for n in around if n.nn_distance > 1e-3]) / nearest
        expected = np.array(
            [np.histogram(np.linalg.norm(others - p, axis=1), BINS, (0, REACH))[0] for p in points]
        )
        difference = calculated[site] - expected @ smearing()
        assert np.abs(difference).max() < 0.05 * calculated[site].max()  # atoms on edges of bins
        counted = calculated[site].sum(axis=1) * BINS / POINTS
        assert counted == pytest.approx(expected.sum(axis=1), rel=0.05)


def test_smearing_keeps_place_and_area():
    matrix = smearing()
    assert matrix.shape == (BINS, POINTS)
    assert np.argmax(matrix[512]) == 128
    assert matrix[100:900].sum(axis=1) * BINS / POINTS == pytest.approx(1, abs=1e-3)
    assert np.abs(matrix[512][np.abs(np.arange(POINTS) - 128) > 20]).max() < 1e-4


def test_size_does_not_matter_and_is_reported(crystals):
    small, large = (Sites.of([c.scaled(volume) for c in crystals]) for volume in (1.0, 20.0))
    assert np.abs(fingerprints(small) - fingerprints(large)).max() < 0.2
    assert large.nearest / small.nearest == pytest.approx(20 ** (1 / 3))
    assert large.ratios == pytest.approx(small.ratios)


def test_elements_do_not_matter(crystals):
    anonymous = [c.with_species(np.zeros_like(c.species)) for c in crystals]
    assert np.array_equal(fingerprints(Sites.of(anonymous)), fingerprints(Sites.of(crystals)))


def test_each_view_is_random_and_repeatable(crystals):
    sites = Sites.of(crystals)
    rows = np.array([3, 0, 3])
    first = fingerprints(sites, rows, seed=1)
    assert np.array_equal(first, fingerprints(sites, rows, seed=1))
    assert not np.array_equal(first[0], first[2])  # one site, two views
    assert not np.array_equal(first, fingerprints(sites, rows, seed=2))
    plain = fingerprints(sites, rows).mean(axis=1)
    correlations = [np.corrcoef(a, b)[0, 1] for a, b in zip(first.mean(axis=1), plain, strict=True)]
    assert min(correlations) > 0.99  # of the same surroundings


def test_no_sites():
    assert fingerprints(Sites.of([])).shape == (0, 12, POINTS)


def test_a_skewed_cell_is_the_same_crystal(crystals):
    sites = Sites.of(crystals[:1])
    lattice = np.array([[1, 0, 0], [3, 1, 0], [0, 2, 1]]) @ sites.lattices[0]
    positions = (sites.positions @ np.linalg.inv(lattice) + 1e-9) % 1.0 @ lattice
    skewed = replace(sites, lattices=lattice[None], positions=positions)
    assert np.allclose(fingerprints(skewed), fingerprints(sites), atol=0.1)
