"""Boosted trees that correct the shares of competing candidates (LightGBM).

Ke et al. 2017, https://papers.nips.cc/paper/6907. The loss is the cross-entropy over the candidates
of one case; the trees start from shares that something simpler gives.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from screening.errors import CheckpointError

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class TreeOptions:
    """Hyperparameters of one ensemble.

    Attributes
    ----------
    rounds, rate, leaves
        Trees, learning rate, and leaves of a tree.
    smallest
        Fewest candidates in a leaf.
    seed
        Seed of the bagging.
    """

    rounds: int
    rate: float
    leaves: int
    smallest: int
    seed: int


@dataclass(frozen=True)
class Cases:
    """Candidates of several cases.

    Attributes
    ----------
    features
        Shape ``(n, f)``; NaN where something is not known.
    start
        Logarithm of the shares before the trees, ``(n,)``.
    weights
        How right each candidate is, ``(n,)``, 0 for wrong.
    groups
        Number of the case, ascending, ``(n,)``.
    """

    features: NDArray[np.floating[Any]]
    start: Floats
    weights: Floats
    groups: NDArray[np.int64]


def shares_of(scores: Floats, groups: NDArray[np.int64]) -> Floats:
    """Exponentials that sum to 1 within each run of equal `groups`, shape ``(n,)``."""
    first = np.flatnonzero(np.r_[True, np.diff(groups) != 0])
    sizes = np.diff(np.r_[first, len(groups)])
    shares = np.exp(scores - np.repeat(np.maximum.reduceat(scores, first), sizes))
    result: Floats = shares / np.repeat(np.add.reduceat(shares, first), sizes)
    return result


def fit_trees(cases: Cases, options: TreeOptions) -> str:
    """Fit the trees; returns LightGBM's text, empty where there is nothing to learn from.

    Cases without a right candidate are left out. Where several candidates are right, their shares
    together count.
    """
    import lightgbm

    kept = np.isin(cases.groups, np.unique(cases.groups[cases.weights > 0]))
    if not kept.any():
        return ""
    groups = cases.groups[kept]
    with np.errstate(divide="ignore"):
        bonus = np.log(cases.weights[kept])

    def objective(scores: Floats, _: Any) -> tuple[Floats, Floats]:
        shares = shares_of(scores, groups)
        gradient = shares - shares_of(scores + bonus, groups)
        return gradient, np.maximum(shares * (1 - shares), 1e-3)

    parameters = {
        "objective": objective,
        "learning_rate": options.rate,
        "num_leaves": options.leaves,
        "min_data_in_leaf": options.smallest,
        "feature_fraction": 0.5,
        "bagging_fraction": 0.8,
        "bagging_freq": 1,
        "lambda_l2": 5.0,
        "max_bin": 127,
        "seed": options.seed,
        "num_threads": 1,
        "deterministic": True,
        "force_row_wise": True,
        "verbose": -1,
    }
    inputs = cases.features[kept].astype(np.float32)
    data = lightgbm.Dataset(inputs, init_score=cases.start[kept], params={"verbose": -1})
    text: str = lightgbm.train(parameters, data, options.rounds).model_to_string()
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
        raise CheckpointError(f"the trees of a checkpoint cannot be read ({error})") from None


class Trees:
    """A fitted ensemble.

    Parameters
    ----------
    text
        Of `fit_trees`; empty for none, which corrects nothing.
    """

    def __init__(self, text: str) -> None:
        self._trees = None
        if text:
            import lightgbm

            self._trees = lightgbm.Booster(model_str=text)

    def __bool__(self) -> bool:
        return self._trees is not None

    def predict(self, features: NDArray[np.floating[Any]]) -> Floats:
        """Evaluate trees that have a loss of their own: ``(n,)``, or ``(n, classes)``."""
        if self._trees is None:
            raise CheckpointError("the checkpoint has no trees: train it again")
        predicted: Floats = np.asarray(
            self._trees.predict(features.astype(np.float32), num_threads=1), dtype=np.float64
        )
        return predicted

    def correct(self, features: NDArray[np.floating[Any]], start: Floats) -> Floats:
        """Add the correction to the logarithms `start`, shape ``(n,)``."""
        if self._trees is None or not len(start):
            return start
        inputs = features.astype(np.float32)
        corrected: Floats = start + np.asarray(
            self._trees.predict(inputs, raw_score=True, num_threads=1)
        )
        return corrected
