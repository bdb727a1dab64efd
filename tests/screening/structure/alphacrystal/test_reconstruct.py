"""Crystals from their own maps."""

import numpy as np
import pytest

from screening.crystal.crystals import primitive_cell, standardise, structure_of
from screening.crystal.wyckoff_occupations import tables
from screening.evaluation.alphacrystal.recovery import own_target
from screening.metrics.matching import rms_distance
from screening.prototypes.build import cell_of_structure
from screening.structure.alphacrystal.assignment import Assignment
from screening.structure.alphacrystal.data import ordered_cell
from screening.structure.alphacrystal.fitness import score
from screening.structure.alphacrystal.geometry import distances_of_genes
from screening.structure.alphacrystal.reconstruct import reconstruct
from screening.structure.alphacrystal.search import Search
from screening.structure.alphacrystal.search_problem import crystal_of_genes, make_problem


@pytest.fixture(scope="module")
def rutile(make):
    return standardise(cell_of_structure(make.rutile("Ti", "O")))


def test_tied_coordinates_are_one_gene(rutile):
    target = own_target(rutile, contacts=False)
    occupation = tuple(zip(rutile.letters.tolist(), rutile.species.tolist(), strict=True))
    problem = make_problem(target, [Assignment(rutile.number, occupation, rutile.cell)])
    assert problem.n_genes.tolist() == [1]
    genes = np.array([rutile.parameters[rutile.species == 8][0, 0]])
    assert score(tables(), problem, 0, genes) == pytest.approx(0, abs=1e-3)
    crystal = crystal_of_genes(problem, 0, genes, target.numbers)
    _, distances = ordered_cell(primitive_cell(crystal))
    found = np.sort(distances_of_genes(tables(), problem, 0, genes).ravel())
    assert found == pytest.approx(np.sort(distances.ravel()), abs=1e-6)


@pytest.mark.parametrize("contacts", [True, False])
def test_true_maps_give_the_crystal_back(rutile, contacts):
    target = own_target(rutile, contacts=contacts)
    rng = np.random.default_rng(0)
    best = reconstruct(target, [rutile.number], rng, cell=rutile.cell)[0]
    assert best.score == pytest.approx(1.0 if contacts else 0.0, abs=0.02)
    reference, found = (structure_of(primitive_cell(c)) for c in (rutile, best.crystal))
    assert rms_distance(reference, found, "loose") < (0.25 if contacts else 0.01)


def test_the_cell_can_be_searched(rutile):
    target = own_target(rutile, contacts=False)
    volume = rutile.volume_per_atom * 1.05
    best = reconstruct(
        target, [rutile.number], np.random.default_rng(0), search=Search(evaluations=3000),
        volume_per_atom=volume,
    )[0]  # fmt: skip
    assert best.score > -0.1
    assert best.crystal.cell[:3] == pytest.approx(rutile.cell[:3], rel=0.05)


def test_atoms_that_do_not_fit_have_no_crystal(rutile):
    target = own_target(rutile, contacts=True)
    found = reconstruct(target, [229], np.random.default_rng(0), cell=np.full(6, 90.0))
    assert found == []
