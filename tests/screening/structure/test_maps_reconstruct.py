"""Crystals from their own maps."""

import numpy as np
import pytest

from screening.metrics.contacts import covalent_contacts
from screening.metrics.matching import rms_distance
from screening.structure.building import cell_of_structure
from screening.structure.crystals import primitive_cell, standardise, structure_of
from screening.structure.maps.data import ordered_cell
from screening.structure.maps.fitness import distances_of_genes, score
from screening.structure.maps.reconstruct import (
    MapTarget,
    Search,
    crystal_of_genes,
    make_problem,
    reconstruct,
)
from screening.structure.wyckoff_sampling import tables


@pytest.fixture(scope="module")
def rutile(make):
    return standardise(cell_of_structure(make.rutile("Ti", "O")))


def own_target(crystal, *, contacts):
    numbers, distances = ordered_cell(primitive_cell(crystal))
    values = covalent_contacts(distances, numbers) if contacts else distances
    return MapTarget(numbers, values.astype(np.float64), contacts)


def test_tied_coordinates_are_one_gene(rutile):
    target = own_target(rutile, contacts=False)
    occupation = list(zip(rutile.letters.tolist(), rutile.species.tolist(), strict=True))
    problem = make_problem(target, rutile.number, occupation, cell=rutile.cell)
    assert len(problem.gene_orbit) == 1
    genes = np.array([rutile.parameters[rutile.species == 8][0, 0]])
    assert score(tables(), problem, genes) == pytest.approx(0, abs=1e-3)
    crystal = crystal_of_genes(problem, genes, target.numbers)
    _, distances = ordered_cell(primitive_cell(crystal))
    found = np.sort(distances_of_genes(tables(), problem, genes).ravel())
    assert found == pytest.approx(np.sort(distances.ravel()), abs=1e-6)


@pytest.mark.parametrize("contacts", [True, False])
def test_true_maps_give_the_crystal_back(rutile, contacts):
    target = own_target(rutile, contacts=contacts)
    rng = np.random.default_rng(0)
    best = reconstruct(target, rutile.number, rng, cell=rutile.cell)[0]
    assert best.score == pytest.approx(1.0 if contacts else 0.0, abs=0.02)
    reference, found = (structure_of(primitive_cell(c)) for c in (rutile, best.crystal))
    assert rms_distance(reference, found, "loose") < (0.25 if contacts else 0.01)


def test_the_cell_can_be_searched(rutile):
    target = own_target(rutile, contacts=False)
    volume = rutile.volume_per_atom * 1.05
    best = reconstruct(
        target,
        rutile.number,
        np.random.default_rng(0),
        search=Search(occupations=6, generations=150),
        volume_per_atom=volume,
    )[0]
    assert best.score > -0.1
    assert best.crystal.cell[:3] == pytest.approx(rutile.cell[:3], rel=0.05)


def test_atoms_that_do_not_fit_have_no_crystal(rutile):
    target = own_target(rutile, contacts=True)
    assert reconstruct(target, 229, np.random.default_rng(0), cell=np.full(6, 90.0)) == []
