"""The stack: boosted trees that weigh the networks against the votes, space group by space group.

The likeliest space groups of the mean of both are candidates. Trees (LightGBM, Ke et al. 2017,
https://papers.nips.cc/paper/6907) correct the logarithm of the mean for each candidate; they are
fitted with the cross-entropy over the candidates of a composition, on predictions of networks and
votes that did not know the composition.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from screening.symmetry.bravais import N_SPACE_GROUPS, bravais_classes, class_sums
from screening.training.trees import Cases, Trees, fit_trees, shares_of

if TYPE_CHECKING:
    from screening.symmetry.votes import Votes
    from screening.training.trees import TreeOptions

Floats = NDArray[np.float64]

N_CANDIDATES = 12
_FLOOR = 1e-4
_PRIOR_WEIGHT = 1e-3


def blend(networks: Floats, votes: Votes, weight: float, prior: Floats) -> Floats:
    """Mix the probabilities: `weight` for the votes, a thousandth for the frequencies `prior`.

    Where nothing is known of a stoichiometry, the networks stand alone.
    """
    heard = votes.groups.sum(axis=1, keepdims=True) > 0
    mixed = np.where(heard, weight * votes.groups + (1 - weight) * networks, networks)
    mixed = (1 - _PRIOR_WEIGHT) * mixed + _PRIOR_WEIGHT * prior
    total: Floats = mixed / mixed.sum(axis=1, keepdims=True)
    return total


def best_weight(
    networks: Floats, votes: Votes, prior: Floats, space_groups: NDArray[np.int64]
) -> float:
    """Weight of the votes, in tenths, with the smallest cross-entropy."""
    rows = np.arange(len(space_groups))
    losses = [
        -np.log(blend(networks, votes, tenths / 10, prior)[rows, space_groups]).mean()
        for tenths in range(11)
    ]
    return int(np.argmin(losses)) / 10


def candidates(mean: Floats) -> NDArray[np.int64]:
    """Columns of the likeliest groups, ``(n, N_CANDIDATES)``, the likeliest first."""
    order: NDArray[np.int64] = np.argsort(-mean, axis=1, kind="stable")[:, :N_CANDIDATES]
    return order


def features(
    networks: Floats, votes: Votes, mean: Floats, prior: Floats, columns: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Describe each candidate, shape ``(n * N_CANDIDATES, 24)``."""
    classes = bravais_classes()[1:]
    shape = columns.shape
    parts: list[NDArray[Any]] = []
    for groups in (networks, votes.groups, mean):
        own = np.take_along_axis(groups, columns, axis=1)
        of_class = np.take_along_axis(class_sums(groups), classes[columns], axis=1)
        best = np.log(groups.max(axis=1, keepdims=True) + _FLOOR)
        log_own = np.log(own + _FLOOR)
        inside = np.log(own / np.maximum(of_class, 1e-9) + 1e-3)
        parts += [log_own, np.log(of_class + 1e-3), inside, log_own - best]
        parts += [np.broadcast_to(best, shape)]
    parts += [np.broadcast_to(np.arange(shape[1]), shape), columns, classes[columns]]
    parts += [np.log(prior[columns] + 1e-5)]
    nearest = np.take_along_axis(votes.nearest, columns, axis=1)
    parts += [nearest, nearest - votes.evidence[:, 1:2]]
    parts += [np.broadcast_to(column[:, None], shape) for column in votes.evidence.T]
    return np.stack(parts, axis=-1).reshape(columns.size, -1).astype(np.float32)


def fit_stack(
    inputs: NDArray[np.float32],
    mean: Floats,
    columns: NDArray[np.int64],
    space_groups: NDArray[np.int64],
    options: TreeOptions,
) -> str:
    """Fit the trees; returns LightGBM's text, empty where there is nothing to learn from.

    Parameters
    ----------
    inputs, mean, columns
        `features`, `blend` and `candidates` of n compositions.
    space_groups
        Columns of the true space groups; rows where it is no candidate are left out.
    options
        Hyperparameters.
    """
    return fit_trees(
        Cases(
            features=inputs,
            start=np.log(np.take_along_axis(mean, columns, axis=1)).ravel(),
            weights=(columns == space_groups[:, None]).astype(np.float64).ravel(),
            groups=np.repeat(np.arange(len(columns)), columns.shape[1]),
        ),
        options,
    )


class Stack:
    """Fitted trees, with what they correct.

    Parameters
    ----------
    text
        Of the trees; empty for none: the mean of networks and votes stays as it is.
    weight
        Of the votes in the mean.
    prior
        Frequencies of the space groups in training, shape ``(230,)``.
    """

    def __init__(self, text: str, weight: float, prior: Floats) -> None:
        self._trees = Trees(text)
        self._weight, self._prior = weight, np.asarray(prior, dtype=np.float64)

    def mean(self, networks: Floats, votes: Votes) -> Floats:
        """Probabilities without the correction by the trees, ``(n, 230)``."""
        return blend(networks, votes, self._weight, self._prior)

    def __call__(self, networks: Floats, votes: Votes) -> Floats:
        """Probabilities of the space groups, ``(n, 230)``; rows sum to 1."""
        mean = self.mean(networks, votes)
        if not self._trees or not len(mean):
            return mean
        columns = candidates(mean)
        inputs = features(networks, votes, mean, self._prior, columns)
        shares = np.take_along_axis(mean, columns, axis=1)
        groups = np.repeat(np.arange(len(columns)), columns.shape[1])
        scores = self._trees.correct(inputs, np.log(shares).ravel())
        corrected = shares_of(scores, groups).reshape(columns.shape)
        np.put_along_axis(mean, columns, corrected * shares.sum(axis=1, keepdims=True), axis=1)
        return mean


def frequencies(space_groups: NDArray[np.int64]) -> Floats:
    """Smoothed frequencies of the space groups (columns), shape ``(230,)``."""
    counts = np.bincount(space_groups, minlength=N_SPACE_GROUPS) + 0.01
    share: Floats = counts / counts.sum()
    return share
