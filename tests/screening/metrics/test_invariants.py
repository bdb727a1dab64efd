import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from screening.metrics.invariants import (
    Pdd,
    amd,
    amd_distance,
    earth_movers_distance,
    neighbour_distances,
    pdd,
    pdd_distance,
)


def chain(*places):
    """Atoms on a line with period 1 (far from the next lines)."""
    return Structure(
        Lattice.orthorhombic(1, 50, 50), ["H"] * len(places), [[x, 0, 0] for x in places]
    )


def test_simple_cubic_neighbours():
    found = neighbour_distances(np.eye(3) * 2.0, np.zeros((1, 3)), k=26)
    expected = [2.0] * 6 + [2 * np.sqrt(2)] * 12 + [2 * np.sqrt(3)] * 8
    assert found[0] == pytest.approx(expected)


def test_flat_cells_have_all_neighbours():
    lattice = np.array([[1.0, 0, 0], [7.3, 1.0, 0], [0.2, 5.1, 1.0]])
    found = neighbour_distances(lattice, np.zeros((1, 3)), k=30)[0]
    ranges = [np.arange(-r, r + 1) for r in (120, 15, 3)]
    n = np.stack(np.meshgrid(*ranges, indexing="ij"), -1).reshape(-1, 3)
    brute = np.sort(np.linalg.norm(n @ lattice, axis=1))[1:31]
    assert found == pytest.approx(brute)


def test_rows_and_weights():
    """The example of the definition: places 0, 1/4 and 1/2 of a line; the ends see the same."""
    found = pdd(chain(0, 0.25, 0.5), k=3)
    assert found.weights == pytest.approx([1 / 3, 2 / 3])
    assert found.distances == pytest.approx(np.array([[0.25, 0.25, 0.75], [0.25, 0.5, 0.5]]))
    assert amd(chain(0, 0.25, 0.5), k=3) == pytest.approx([0.25, 1.25 / 3, 1.75 / 3])


def test_invariance(perovskite, disguise):
    other = disguise(perovskite)
    assert len(pdd(perovskite).weights) == 3
    assert amd_distance(perovskite, other) == pytest.approx(0, abs=1e-9)
    assert pdd_distance(perovskite, other) == pytest.approx(0, abs=1e-9)


def test_elements_are_not_seen(perovskite):
    assert pdd_distance(perovskite, perovskite.copy().replace_species({"Sr": "Ba"})) == 0


def test_pdd_tells_crystals_apart_that_amd_does_not_bound_from_above(perovskite, wrong_perovskite):
    lower = amd_distance(perovskite, wrong_perovskite)
    assert 0.1 < lower <= pdd_distance(perovskite, wrong_perovskite)


def test_continuity(perovskite):
    moved = perovskite.copy()
    moved.translate_sites([1], [0.05, 0, 0], frac_coords=False)
    assert 0 < pdd_distance(perovskite, moved) <= 0.1


def test_earth_mover_of_known_distributions():
    one = Pdd(np.array([1.0]), np.array([[1.0, 2.0]]))
    two = Pdd(np.array([0.25, 0.75]), np.array([[1.0, 2.0], [1.5, 4.0]]))
    assert earth_movers_distance(one, two) == pytest.approx(0.75 * 2)
    assert earth_movers_distance(two, one) == pytest.approx(0.75 * 2)
    assert earth_movers_distance(two, two) == pytest.approx(0)
