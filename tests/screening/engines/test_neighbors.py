"""Neighbour lists: complete, each pair once, and never used when they might miss a pair."""

import numpy as np
import pytest

from screening.engines import Crystal
from screening.engines.neighbors import SkinList, neighbors_of


def random_crystal(seed, n=5):
    rng = np.random.default_rng(seed)
    cell = np.diag(rng.uniform(3, 6, 3)) + rng.normal(0, 0.8, (3, 3))
    return Crystal(np.full(n, 14), cell, rng.uniform(-1, 2, (n, 3)) @ cell)


def brute_force(crystal, cutoff):
    """All pairs closer than `cutoff`, each once, as sorted distances."""
    reach = np.arange(-6, 7)
    shifts = np.array(np.meshgrid(reach, reach, reach)).reshape(3, -1).T
    distances = []
    for i in range(len(crystal)):
        for j in range(len(crystal)):
            vectors = crystal.positions[j] + shifts @ crystal.cell - crystal.positions[i]
            lengths = np.linalg.norm(vectors, axis=1)
            keep = (lengths < cutoff) & ((i != j) | np.any(shifts != 0, axis=1))
            distances.extend(lengths[keep])
    return np.sort(distances)[::2]


@pytest.mark.parametrize("seed", range(6))
def test_finds_every_pair_once(seed):
    crystal = random_crystal(seed)
    found = SkinList.build(crystal, 5.0, 0.0)
    lengths = np.sort(np.linalg.norm(found.vectors(crystal), axis=1))
    np.testing.assert_allclose(lengths, brute_force(crystal, 5.0), atol=1e-8)


@pytest.mark.parametrize("seed", range(8))
def test_a_valid_list_misses_no_pair(seed):
    rng = np.random.default_rng(100 + seed)
    crystal = random_crystal(seed)
    kept = SkinList.build(crystal, 4.0, 0.6)
    strain = rng.normal(0, 0.02, (3, 3))
    crystal.cell[:] = crystal.cell @ (np.eye(3) + strain)
    crystal.positions[:] = crystal.positions @ (np.eye(3) + strain)
    crystal.positions += rng.normal(0, 0.06, crystal.positions.shape)
    if not kept.valid_for(crystal):
        pytest.skip("moved too far, as it may")
    lengths = np.linalg.norm(kept.vectors(crystal), axis=1)
    np.testing.assert_allclose(
        np.sort(lengths[lengths < 4.0]), brute_force(crystal, 4.0), atol=1e-8
    )


def test_a_shift_of_everything_keeps_the_list_and_a_long_way_does_not():
    crystal = random_crystal(0)
    kept = neighbors_of(crystal, 4.0, 0.5)
    crystal.positions += [5.0, -3.0, 1.0]
    assert neighbors_of(crystal, 4.0, 0.5) is kept
    crystal.positions[0] += 0.4
    assert neighbors_of(crystal, 4.0, 0.5) is not kept


def test_compression_makes_the_list_invalid():
    crystal = random_crystal(1)
    kept = SkinList.build(crystal, 4.0, 0.4)
    crystal.cell *= 0.95
    crystal.positions *= 0.95
    assert kept.valid_for(crystal)  # 0.95 * 4.4 = 4.18
    crystal.cell *= 0.95
    crystal.positions *= 0.95
    assert not kept.valid_for(crystal)


def test_another_cutoff_makes_another_list():
    crystal = random_crystal(2)
    assert neighbors_of(crystal, 4.0, 0.5) is not neighbors_of(crystal, 5.0, 0.5)
