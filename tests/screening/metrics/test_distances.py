import numpy as np
import pytest

from screening.errors import InputError
from screening.metrics.distances import DistanceScores, distance_mae, distance_rmse

TRUE = np.array([[0.0, 2, 3], [2, 0, 4], [3, 4, 0]])


def off(error):
    return TRUE + error * (1 - np.eye(3))


def test_known_errors():
    assert distance_rmse(TRUE, TRUE) == 0
    assert distance_rmse(TRUE, off(0.3)) == pytest.approx(0.3)
    assert distance_mae(TRUE, off(-0.3)) == pytest.approx(0.3)
    one = TRUE.copy()
    one[0, 1] = one[1, 0] = 2.6
    assert distance_rmse(TRUE, one) == pytest.approx(0.6 / np.sqrt(3))
    assert distance_mae(TRUE, one) == pytest.approx(0.2)


def test_batches_and_single_atoms():
    assert distance_rmse(TRUE, np.stack([off(0.1), off(1)])) == pytest.approx([0.1, 1])
    assert distance_rmse([[0.0]], [[5.0]]) == 0


def test_the_mean_of_roots_is_below_the_root_of_the_mean():
    scores = DistanceScores.of([TRUE, TRUE], [off(0.1), off(0.9)])
    assert scores.mean() == pytest.approx(0.5)
    assert scores.pooled() == pytest.approx(np.sqrt((0.01 + 0.81) / 2))
    low, high = scores.interval(seed=0)
    assert low <= 0.5 <= high


def test_large_crystals_count_more_when_pooled():
    small = np.array([[0.0, 2], [2, 0]])
    scores = DistanceScores.of([TRUE, small], [off(0.0), small + 1 - np.eye(2)])
    assert scores.mean() == pytest.approx(0.5)
    assert scores.pooled() == pytest.approx(np.sqrt(1 / 4))


def test_failures_are_counted_and_left_out():
    broken = off(np.nan)
    scores = DistanceScores.of([TRUE, TRUE, TRUE], [off(0.2), None, broken])
    assert (scores.n_failed, len(scores.rmse)) == (2, 1)
    assert scores.mean() == pytest.approx(0.2)
    assert np.isnan(DistanceScores.of([TRUE], [None]).pooled())


def test_other_sizes():
    with pytest.raises(InputError, match="the same atoms"):
        distance_rmse(TRUE, TRUE[:2, :2])
