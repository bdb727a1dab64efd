"""The stack: boosted trees that weigh the networks against the votes, space group by space group.

The likeliest space groups of the mean of both are candidates. Trees (LightGBM, Ke et al. 2017,
https://papers.nips.cc/paper/6907) correct the logarithm of the mean for each candidate; they are
fitted with the cross-entropy over the candidates of a composition, on predictions of networks and
votes that did not know the composition.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from screening.errors import CheckpointError
from screening.symmetry.bravais import N_SPACE_GROUPS, bravais_classes, class_sums

if TYPE_CHECKING:
    from screening.symmetry.votes import Votes

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


def softmax(scores: Floats) -> Floats:
    """Probabilities over the last axis."""
    shares = np.exp(scores - scores.max(axis=-1, keepdims=True))
    result: Floats = shares / shares.sum(axis=-1, keepdims=True)
    return result


def fit_trees(
    inputs: NDArray[np.float32],
    mean: Floats,
    columns: NDArray[np.int64],
    space_groups: NDArray[np.int64],
    options: dict[str, Any],
) -> str:
    """Fit the trees; returns LightGBM's text, empty where there is nothing to learn from.

    Parameters
    ----------
    inputs, mean, columns
        `features`, `blend` and `candidates` of n compositions.
    space_groups
        Columns of the true space groups; rows where it is no candidate are left out.
    options
        ``rounds``, ``rate``, ``leaves`` and ``seed``.
    """
    import lightgbm

    truth = columns == space_groups[:, None]
    kept = truth.any(axis=1)
    if not kept.any():
        return ""
    truth = truth[kept].astype(np.float64)
    start = np.log(np.take_along_axis(mean, columns, axis=1))[kept].ravel()
    rows = np.repeat(kept, columns.shape[1])

    def objective(scores: Floats, _: Any) -> tuple[Floats, Floats]:
        shares = softmax(scores.reshape(truth.shape))
        gradient, curvature = shares - truth, np.maximum(shares * (1 - shares), 1e-3)
        return gradient.ravel(), curvature.ravel()

    parameters = {
        "objective": objective,
        "learning_rate": options["rate"],
        "num_leaves": options["leaves"],
        "min_data_in_leaf": 100,
        "feature_fraction": 0.5,
        "bagging_fraction": 0.8,
        "bagging_freq": 1,
        "lambda_l2": 5.0,
        "max_bin": 127,
        "seed": options["seed"],
        "num_threads": 1,
        "deterministic": True,
        "force_row_wise": True,
        "verbose": -1,
    }
    data = lightgbm.Dataset(inputs[rows], init_score=start, params={"verbose": -1})
    trees = lightgbm.train(parameters, data, options["rounds"])
    text: str = trees.model_to_string()
    return text


def pack_text(text: str) -> NDArray[np.uint8]:
    """Compress a text to bytes that fit into a checkpoint."""
    return np.frombuffer(zlib.compress(text.encode(), 9), dtype=np.uint8).copy()


def unpack_text(data: NDArray[np.uint8]) -> str:
    """Read what `pack_text` wrote.

    Raises
    ------
    CheckpointError
        If the bytes are damaged.
    """
    try:
        return zlib.decompress(np.asarray(data, dtype=np.uint8).tobytes()).decode()
    except (zlib.error, UnicodeDecodeError) as error:
        raise CheckpointError(f"the trees of the stack cannot be read ({error})") from None


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
        self._trees = None
        if text:
            import lightgbm

            self._trees = lightgbm.Booster(model_str=text)
        self._weight, self._prior = weight, np.asarray(prior, dtype=np.float64)

    def mean(self, networks: Floats, votes: Votes) -> Floats:
        """Probabilities without the correction by the trees, ``(n, 230)``."""
        return blend(networks, votes, self._weight, self._prior)

    def __call__(self, networks: Floats, votes: Votes) -> Floats:
        """Probabilities of the space groups, ``(n, 230)``; rows sum to 1."""
        mean = self.mean(networks, votes)
        if self._trees is None or not len(mean):
            return mean
        columns = candidates(mean)
        inputs = features(networks, votes, mean, self._prior, columns)
        correction = np.asarray(self._trees.predict(inputs, raw_score=True, num_threads=1))
        shares = np.take_along_axis(mean, columns, axis=1)
        corrected = softmax(np.log(shares) + correction.reshape(columns.shape))
        np.put_along_axis(mean, columns, corrected * shares.sum(axis=1, keepdims=True), axis=1)
        return mean


def frequencies(space_groups: NDArray[np.int64]) -> Floats:
    """Smoothed frequencies of the space groups (columns), shape ``(230,)``."""
    counts = np.bincount(space_groups, minlength=N_SPACE_GROUPS) + 0.01
    share: Floats = counts / counts.sum()
    return share
