"""How good predicted energies and their uncertainties are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from screening.metrics.intervals import bootstrap_interval

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from screening.energy.model import EnergyPrediction


def energy_metrics(
    prediction: EnergyPrediction, truth: NDArray[np.floating], *, seed: int = 0
) -> dict[str, Any]:
    """Errors and coverage of predictions.

    Parameters
    ----------
    prediction
        ``n`` predictions.
    truth
        Formation energies (eV/atom), shape ``(n,)``.
    seed
        Seed of the bootstrap.

    Returns
    -------
    ``n``; ``mae``, ``rmse``, ``median_error`` (eV/atom); ``r2``; ``spearman``; ``coverage90``, the
    share of truths inside the 90 % interval; ``width90``, its mean width (eV/atom); and 95 %
    bootstrap ``intervals`` of mae, rmse and coverage90.
    """
    from scipy.stats import spearmanr

    truth = np.asarray(truth, dtype=np.float64)
    errors = prediction.mean - truth
    covered = (truth >= prediction.lower90) & (truth <= prediction.upper90)
    variance = ((truth - truth.mean()) ** 2).sum()
    ranks = spearmanr(prediction.mean, truth).statistic if len(truth) > 2 else np.nan
    return {
        "n": len(truth),
        "mae": np.abs(errors).mean(),
        "rmse": np.sqrt((errors**2).mean()),
        "median_error": np.median(np.abs(errors)),
        "r2": 1 - (errors**2).sum() / variance if variance > 0 else np.nan,
        "spearman": ranks,
        "coverage90": covered.mean(),
        "width90": (prediction.upper90 - prediction.lower90).mean(),
        "intervals": {
            "mae": bootstrap_interval(np.abs(errors), seed=seed),
            "rmse": bootstrap_interval(errors**2, _root_mean, seed=seed),
            "coverage90": bootstrap_interval(covered.astype(np.float64), seed=seed),
        },
    }


def _root_mean(values: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
    root: NDArray[np.float64] = np.sqrt(values.mean(axis=axis))
    return root
