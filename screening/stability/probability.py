"""Probabilities: logits, calibration, and another prevalence."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from screening.errors import InputError

Floats = NDArray[np.float64]

SMALLEST = 1e-4
"""Probabilities stay this far from 0 and 1: nothing is certain of a composition."""
IDENTITY = (1.0, 1.0, 0.0)
"""The calibration that changes nothing."""
RIDGE = 2.0
"""Weight that holds a calibration to the identity, in compositions."""


def logit(probability: Floats) -> Floats:
    """Log odds."""
    clipped = np.clip(probability, SMALLEST, 1 - SMALLEST)
    odds: Floats = np.log(clipped / (1 - clipped))
    return odds


def sigmoid(score: Floats) -> Floats:
    """Probability of log odds."""
    probability: Floats = 1 / (1 + np.exp(-np.clip(score, -30, 30)))
    return probability


def fit_beta(scores: Floats, labels: NDArray[np.bool_]) -> Floats:
    """Fit a beta calibration (Kull et al. 2017, doi:10.1214/17-EJS1338SI).

    Parameters
    ----------
    scores
        Log odds of n compositions that the model has not seen.
    labels
        Whether each is stable.

    Returns
    -------
    Factors of ln p and of -ln(1 - p), not negative, and a constant, shape ``(3,)``.
    """
    from scipy.optimize import minimize

    inputs = _beta_inputs(scores)
    signs = np.where(labels, 1.0, -1.0)
    identity = np.array(IDENTITY)

    def loss(parameters: Floats) -> float:
        margins = signs * (inputs @ parameters)
        penalty = RIDGE * ((parameters - identity) ** 2).sum()
        return float(np.logaddexp(0, -margins).sum() + penalty)

    optimum = minimize(loss, identity, bounds=[(0, None), (0, None), (None, None)])
    result: Floats = np.asarray(optimum.x, dtype=np.float64)
    return result


def apply_beta(scores: Floats, parameters: Floats) -> Floats:
    """Calibrate log odds."""
    calibrated: Floats = _beta_inputs(scores) @ parameters
    return calibrated


def _beta_inputs(scores: Floats) -> Floats:
    probability = np.clip(sigmoid(scores), SMALLEST, 1 - SMALLEST)
    return np.stack(
        [np.log(probability), -np.log1p(-probability), np.ones_like(probability)], axis=1
    )


def shift_prevalence(probability: Floats, trained: float, assumed: float) -> Floats:
    """Move probabilities to another share of stable compositions.

    Saerens et al. 2002, doi:10.1162/089976602753284446: log odds shift by those of the two shares.

    Parameters
    ----------
    probability
        Calibrated at `trained`, any shape.
    trained, assumed
        Shares of stable compositions, between 0 and 1.

    Raises
    ------
    InputError
        If a share is not between 0 and 1.
    """
    for name, share in (("trained", trained), ("assumed", assumed)):
        if not 0 < share < 1:
            raise InputError(f"{name} prevalence {share} must lie between 0 and 1")
    change = np.log(assumed / (1 - assumed)) - np.log(trained / (1 - trained))
    return sigmoid(logit(probability) + change)
