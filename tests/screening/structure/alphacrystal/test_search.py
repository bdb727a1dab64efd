"""Search algorithms: one interface, all find what can be found."""

import numpy as np
import pytest

from screening.crystal.crystals import Crystal, to_structure
from screening.crystal.wyckoff_occupations import tables
from screening.errors import InputError
from screening.evaluation.alphacrystal.recovery import own_target
from screening.metrics.matching import rms_distance
from screening.structure.alphacrystal.algorithms import ALGORITHMS, Genetic, Space
from screening.structure.alphacrystal.assignment import Assignment, MapTarget
from screening.structure.alphacrystal.fitness import score, score_all, slopes
from screening.structure.alphacrystal.geometry import (
    distances_of_genes,
    lattice_of_genes,
    points_of_genes,
)
from screening.structure.alphacrystal.reconstruct import draw_assignments, reconstruct
from screening.structure.alphacrystal.search import Search, find
from screening.structure.alphacrystal.search_problem import gene_count, make_problem


@pytest.fixture(scope="module")
def tied():
    """V4O4F4 in P4_12_12: two orbits have tied coordinates (x, x, 0), which the papers fail on."""
    return Crystal(
        number=92,
        cell=np.array([4.6, 4.6, 9.4, 90.0, 90.0, 90.0]),
        letters=np.array([0, 0, 0]),
        species=np.array([23, 8, 9]),
        parameters=np.array([[0.03, 0, 0], [0.31, 0, 0], [0.71, 0, 0]]),
    )


def occupation_of(crystal):
    return tuple(zip(crystal.letters.tolist(), crystal.species.tolist(), strict=True))


def own_problem(crystal, *, contacts=False, cell=None, **options):
    target = own_target(crystal, contacts=contacts)
    assignment = Assignment(crystal.number, occupation_of(crystal), cell)
    return make_problem(
        target, [assignment], volume_per_atom=crystal.volume_per_atom, **options
    ), target


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_every_algorithm_finds_tied_coordinates(algorithm, tied):
    problem, _ = own_problem(tied, cell=tied.cell)
    assert gene_count(problem) == 3
    search = Search(algorithm, 4000, 40)
    first, again = (find(problem, search, np.random.default_rng(0)) for _ in range(2))
    assert first.values[0] > -0.1
    assert first.evaluations <= 4000 + 1
    assert (first.genes == again.genes).all()
    assert first.values[0] == score(tables(), problem, 0, first.genes[0])


def test_gradients_end_at_the_crystal(tied):
    target = own_target(tied, contacts=False)
    best = reconstruct(target, [92], np.random.default_rng(1), cell=tied.cell)[0]
    assert best.score > -1e-3
    assert rms_distance(to_structure(tied), to_structure(best.crystal), "strict") < 1e-3


def test_expected_distances_choose_among_equal_contacts(tied):
    contacts = own_target(tied, contacts=True)
    distances = own_target(tied, contacts=False).matrix
    hinted = MapTarget(contacts.numbers, contacts.matrix, contacts=True, expected=distances)
    found = [
        reconstruct(target, [92], np.random.default_rng(2), cell=tied.cell)[0].crystal
        for target in (contacts, hinted)
    ]
    reference = to_structure(tied)
    plain, chosen = (
        np.nan_to_num(rms_distance(reference, to_structure(c), "loose"), nan=1.0) for c in found
    )
    assert chosen < 0.05
    assert chosen <= plain


@pytest.mark.parametrize("free", [False, True])
@pytest.mark.parametrize("contacts", [False, True])
def test_slopes_are_those_of_the_squares(tied, free, contacts):
    problem, _ = own_problem(tied, contacts=contacts, cell=None if free else tied.cell)
    problem = problem._replace(exchange=False, expected=problem.target + 1.0, tie=0.05)
    genes = np.random.default_rng(3).random(gene_count(problem)) * 0.6 + 0.2
    matrix, vector = np.zeros((len(genes),) * 2), np.zeros(len(genes))
    slopes(tables(), problem, 0, genes, matrix, vector)
    slope = vector.copy()
    numeric = np.zeros(len(genes))
    for k, step in enumerate(1e-6 * np.eye(len(genes))):
        up, down = (slopes(tables(), problem, 0, genes + s, matrix, vector) for s in (step, -step))
        numeric[k] = (up - down) / 2e-6
    assert 2 * slope == pytest.approx(numeric, abs=1e-3 * np.abs(numeric).max())


def test_distances_are_right_in_skewed_cells(make):
    assignment = Assignment(1, ((0, 22), (0, 8), (0, 8)), np.array([3.0, 4.0, 9.0, 55, 60, 65.0]))
    blank = MapTarget(np.array([22, 8, 8]), np.zeros((3, 3)), contacts=False)
    problem = make_problem(blank, [assignment])
    genes = np.random.default_rng(4).random(9)
    lattice, points = (
        function(tables(), problem, 0, genes) for function in (lattice_of_genes, points_of_genes)
    )
    steps = np.stack(np.meshgrid(*[np.arange(-4, 5)] * 3, indexing="ij"), -1).reshape(-1, 3)
    vectors = (points[:, None] - points[None])[:, :, None] + steps
    expected = np.linalg.norm(vectors @ lattice, axis=-1).min(axis=2)
    assert distances_of_genes(tables(), problem, 0, genes) == pytest.approx(expected, abs=1e-9)


def test_all_assignments_are_searched_together(tied):
    target = own_target(tied, contacts=False)
    rng = np.random.default_rng(5)
    assignments = [
        assignment
        for number in (92, 19, 4)
        for assignment in draw_assignments(target, number, 4, rng)
    ]
    problem = make_problem(target, assignments, volume_per_atom=tied.volume_per_atom)
    assert set(problem.groups.tolist()) == {91, 18, 3}
    genes = rng.random((len(assignments), 5, gene_count(problem)))
    together = score_all(tables(), problem, np.arange(len(assignments)), genes)
    for i, assignment in enumerate(assignments):
        own = make_problem(target, [assignment], volume_per_atom=tied.volume_per_atom)
        part = np.ascontiguousarray(genes[i : i + 1, :, : gene_count(own)])
        one = score_all(tables(), own, np.zeros(1, dtype=np.int64), part)
        assert one[0] == pytest.approx(together[i])


def test_halving_spares_evaluations(tied):
    target = own_target(tied, contacts=True)
    assignments = draw_assignments(target, 19, 40, np.random.default_rng(6))
    assert len(assignments) == 1
    low = draw_assignments(target, 4, 40, np.random.default_rng(6))
    low += draw_assignments(target, 14, 60, np.random.default_rng(6))
    problem = make_problem(target, low, volume_per_atom=tied.volume_per_atom)
    used = [
        find(problem, Search("de", 320, 8, halving=halving), np.random.default_rng(7)).evaluations
        for halving in (True, False)
    ]
    assert used[0] < 0.7 * used[1]


def test_one_crystal_with_the_map_is_enough(tied):
    target = own_target(tied, contacts=False)
    assignments = [
        choice
        for number in (92, 19, 4)
        for choice in draw_assignments(target, number, 4, np.random.default_rng(9), cell=tied.cell)
    ]
    problem = make_problem(target, assignments)
    searches = [Search(evaluations=1000, size=8, first=first) for first in (True, False)]
    quick, whole = (find(problem, search, np.random.default_rng(1)) for search in searches)
    assert quick.values.max() > -0.01
    assert quick.evaluations < 0.8 * whole.evaluations
    assert whole.values.max() >= quick.values.max()


def test_the_genetic_algorithm_keeps_its_best():
    rng = np.random.default_rng(8)
    algorithm = Genetic(Space(2, 20, 4, 1, 50), rng)
    best = np.full(2, -np.inf)
    for _ in range(30):
        genes = algorithm.propose()
        assert genes.min() >= 0
        assert genes.max() < 1
        algorithm.learn(genes, -((genes - 0.3) ** 2).sum(axis=2), None)
        assert (algorithm.values.max(axis=1) >= best).all()
        best = algorithm.values.max(axis=1)
    assert best.min() > -0.05


@pytest.mark.parametrize(
    ("search", "message"),
    [(Search("pso"), "unknown algorithm 'pso'"), (Search(size=2), "size=2")],
)
def test_bad_searches(search, message, tied):
    problem, _ = own_problem(tied)
    with pytest.raises(InputError, match=message):
        find(problem, search, np.random.default_rng(0))
