"""Which choices of Wyckoff positions suit a map."""

import numpy as np
import pytest

from screening.crystal.crystals import standardise
from screening.evaluation.alphacrystal.recovery import own_target
from screening.prototypes.build import cell_of_structure
from screening.structure.alphacrystal.assignment import MapTarget
from screening.structure.alphacrystal.labels import kinds_of
from screening.structure.alphacrystal.orbits import OrbitFit, misfit, sorted_rows
from screening.structure.alphacrystal.reconstruct import draw_assignments

KINDS = np.array([0, 1, 1, 1])


@pytest.fixture(scope="module")
def chain():
    """One atom, then three equal ones: the first two of them alike, the third far away."""
    near, far = 2.0, 5.0
    return np.array(
        [[0, near, near, far], [near, 0, 3.0, 4.0], [near, 3.0, 0, 4.0], [far, 4.0, 4.0, 0]]
    )


def test_rows_forget_the_order_of_equal_atoms(chain):
    order = [0, 3, 1, 2]
    rows, other = (sorted_rows(m, KINDS) for m in (chain, chain[order][:, order].copy()))
    assert rows[order] == pytest.approx(other)
    assert (rows[1] == rows[2]).all()


@pytest.mark.parametrize(("sizes", "perfect"), [((2, 1), True), ((3,), False), ((1, 1, 1), True)])
def test_orbits_are_made_of_atoms_with_equal_rows(chain, sizes, perfect):
    rows = sorted_rows(chain, KINDS)
    orbit_kinds = np.array([0, *[1] * len(sizes)])
    value = misfit(rows, KINDS, orbit_kinds, np.array([1, *sizes]))
    assert (value < 1e-9) == perfect
    target = MapTarget(np.array([22, 8, 8, 8]), chain, contacts=False)
    fit = OrbitFit(target, kinds_of(target.numbers))
    likelihood = fit.likelihood([(1, 22), *((size, 8) for size in sizes)])
    assert (likelihood > 0.99) == perfect
    assert perfect or likelihood < 0.1


def test_choices_that_differ_by_the_origin_count_once(make):
    """In Pm-3m the two corners, (0, 0, 0) and (1/2, 1/2, 1/2), may be exchanged."""
    crystal = standardise(cell_of_structure(make.perovskite("Sr", "Ti", "O")))
    target = own_target(crystal, contacts=False)
    rng = np.random.default_rng(0)
    found = draw_assignments(target, 221, 50, rng, cell=crystal.cell)
    letters = {tuple(letter for letter, _ in choice.occupation) for choice in found}
    assert len(letters) == len(found) == 2


def test_unlikely_choices_are_drawn_last(make):
    """Rutile's oxygens are one orbit of four: choices that split them differ in the map."""
    crystal = standardise(cell_of_structure(make.rutile("Ti", "O")))
    target = own_target(crystal, contacts=False)
    rng = np.random.default_rng(0)
    found = draw_assignments(target, crystal.number, 4, rng, cell=crystal.cell)
    own = tuple(sorted(zip(crystal.letters.tolist(), crystal.species.tolist(), strict=True)))
    assert 1 <= len(found) <= 4
    assert own in {choice.occupation for choice in found}
