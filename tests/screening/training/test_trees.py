"""Trees that correct shares."""

import numpy as np
import pytest

from screening.errors import CheckpointError
from screening.training.trees import (
    Cases,
    TreeOptions,
    Trees,
    fit_trees,
    pack_text,
    shares_of,
    unpack_text,
)

OPTIONS = TreeOptions(rounds=30, rate=0.2, leaves=4, smallest=5, seed=0)


@pytest.fixture
def cases():
    """The right candidate has the largest first feature; the start knows nothing."""
    features = np.random.default_rng(0).random((200, 5, 2))
    best = features[:, :, 0].argmax(axis=1)
    return Cases(
        features=features.reshape(-1, 2),
        start=np.zeros(1000),
        weights=np.eye(5)[best].ravel(),
        groups=np.repeat(np.arange(200), 5),
    )


def test_shares_sum_to_one_in_each_group():
    shares = shares_of(np.array([0.0, 0.0, 5.0, -1e9]), np.array([0, 0, 1, 1]))
    np.testing.assert_allclose(shares, [0.5, 0.5, 1.0, 0.0])


def test_trees_find_what_makes_a_candidate_right(cases):
    text = fit_trees(cases, OPTIONS)
    assert text == fit_trees(cases, OPTIONS)
    trees = Trees(unpack_text(pack_text(text)))
    scores = trees.correct(cases.features, cases.start).reshape(-1, 5)
    right = cases.weights.reshape(-1, 5).argmax(axis=1)
    assert (scores.argmax(axis=1) == right).mean() > 0.8


def test_several_candidates_may_be_right(cases):
    both = np.where(cases.features[:, 0] > 0.5, 0.5, 0.0)
    text = fit_trees(Cases(cases.features, cases.start, both, cases.groups), OPTIONS)
    shares = shares_of(Trees(text).correct(cases.features, cases.start), cases.groups)
    assert shares[both > 0].mean() > 5 * shares[both == 0].mean()


def test_nothing_to_learn_corrects_nothing(cases):
    none = Cases(cases.features, cases.start, np.zeros(1000), cases.groups)
    trees = Trees(fit_trees(none, OPTIONS))
    assert not trees
    assert trees.correct(cases.features, cases.start) is cases.start


def test_damaged_trees_are_refused():
    with pytest.raises(CheckpointError, match="cannot be read"):
        unpack_text(np.arange(9, dtype=np.uint8))
