"""FIRE on surfaces with known minima."""

import numpy as np
import pytest

from screening.engines.descent.fire import MAX_STEP, Fire


@pytest.mark.parametrize("stiffness", [(1.0, 1.0), (0.3, 10.0), (0.2, 60.0)])
def test_finds_the_bottom_of_a_bowl(stiffness):
    k = np.array(stiffness)
    x, fire = np.array([1.0, -0.7]), Fire((2,))
    for _ in range(1500):
        x = x + fire.step(-k * x)
    np.testing.assert_allclose(x, 0, atol=1e-3)


def test_no_step_is_longer_than_the_limit():
    fire = Fire((4, 3))
    forces = np.full((4, 3), 1e3)
    for _ in range(20):
        assert np.linalg.norm(fire.step(forces)) <= MAX_STEP * (1 + 1e-12)


def test_turns_around_uphill():
    fire = Fire((1,))
    fire.step(np.array([0.1]))
    before = fire.dt
    step = fire.step(np.array([-0.1]))
    assert step[0] < 0
    assert fire.dt < before


def test_no_forces_no_step():
    assert not Fire((2, 3)).step(np.zeros((2, 3))).any()
