"""Fitting of the layers of trees and their calibrations, by cross-validation over systems."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from screening.identity import derive_seed
from screening.stability.model import LEVELS
from screening.stability.probability import fit_beta
from screening.training.trees import Trees

if TYPE_CHECKING:
    from collections.abc import Sequence

Floats = NDArray[np.float64]

FOLDS = 5
_COMMON = {"num_threads": 1, "deterministic": True, "force_row_wise": True, "verbose": -1}


@dataclass(frozen=True)
class LayerOptions:
    """Hyperparameters of one layer: trees, learning rate, leaves, rows in a leaf, ridge."""

    rounds: int
    rate: float
    leaves: int
    smallest: int
    ridge: float = 10.0


LAYERS = {
    "composition": LayerOptions(250, 0.03, 12, 40),
    "structures": LayerOptions(120, 0.03, 5, 25, 20.0),
    "judge": LayerOptions(120, 0.03, 5, 25, 20.0),
}


@dataclass(frozen=True)
class Layer:
    """A fitted layer.

    Attributes
    ----------
    texts
        LightGBM's text of each level.
    calibration
        Beta calibration of each level, shape ``(3, 3)``.
    left_out
        Log odds of each composition by trees that were fitted without its chemical system, before
        calibration, shape ``(n, 3)``.
    """

    texts: list[str]
    calibration: Floats
    left_out: Floats


def fit_classes(
    features: NDArray[np.float32], distances: Floats, rounds: int, leaves: int, seed: int
) -> str:
    """Fit the first layer: four classes of distances to the hull; returns LightGBM's text."""
    import lightgbm

    classes = np.digitize(distances, [1e-9, *LEVELS[1:]], right=True)
    parameters = {
        **_COMMON,
        "objective": "multiclass",
        "num_class": len(LEVELS) + 1,
        "learning_rate": 0.1,
        "num_leaves": leaves,
        "min_data_in_leaf": 40,
        "feature_fraction": 0.25,
        "bagging_fraction": 0.7,
        "bagging_freq": 1,
        "lambda_l2": 10.0,
        "max_bin": 63,
        "seed": seed,
    }
    data = lightgbm.Dataset(features, classes, params={"verbose": -1, "max_bin": 63})
    text: str = lightgbm.train(parameters, data, rounds).model_to_string()
    return text


def fit_layer(
    features: Floats,
    start: Floats,
    distances: Floats,
    systems: Sequence[str],
    options: LayerOptions,
    *,
    falling: list[int],
    seed: int,
) -> Layer:
    """Fit trees for each level, and a calibration on what was left out in turn.

    Parameters
    ----------
    features
        Shape ``(n, f)``.
    start
        Log odds of the layer before, shape ``(n, 3)``.
    distances
        DFT distances to the hull (eV/atom), shape ``(n,)``.
    systems
        Chemical systems: all compositions of one are in the same fold.
    options
        Hyperparameters.
    falling
        -1 for features that the probability must not rise with, 0 for the others.
    seed
        Of folds and trees.
    """
    names = np.unique(np.asarray(systems), return_inverse=True)[1]
    rng = np.random.default_rng(derive_seed("stability", seed))
    folds = rng.integers(FOLDS, size=names.max() + 1)[names]
    texts, left_out, calibration = [], np.empty_like(start), np.empty((len(LEVELS), 3))
    for level, limit in enumerate(LEVELS):
        labels = distances <= limit
        texts.append(_fit(features, start[:, level], labels, options, falling=falling, seed=seed))
        for fold in range(FOLDS):
            inside, outside = folds != fold, folds == fold
            if not outside.any():
                continue
            text = _fit(
                features[inside],
                start[inside, level],
                labels[inside],
                options,
                falling=falling,
                seed=seed,
            )
            corrected = Trees(text).correct(features[outside], start[outside, level])
            left_out[outside, level] = corrected
        calibration[level] = fit_beta(left_out[:, level], labels)
    return Layer(texts, calibration, left_out)


def _fit(
    features: Floats,
    start: Floats,
    labels: NDArray[np.bool_],
    options: LayerOptions,
    *,
    falling: list[int],
    seed: int,
) -> str:
    import lightgbm

    parameters: dict[str, Any] = {
        **_COMMON,
        "objective": "binary",
        "boost_from_average": False,
        "learning_rate": options.rate,
        "num_leaves": options.leaves,
        "min_data_in_leaf": options.smallest,
        "feature_fraction": 0.5,
        "bagging_fraction": 0.8,
        "bagging_freq": 1,
        "lambda_l2": options.ridge,
        "monotone_constraints": falling,
        "seed": seed,
    }
    inputs = features.astype(np.float32)
    data = lightgbm.Dataset(
        inputs, labels.astype(np.float64), init_score=start, params={"verbose": -1}
    )
    text: str = lightgbm.train(parameters, data, options.rounds).model_to_string()
    return text
