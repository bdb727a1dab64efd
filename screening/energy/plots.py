"""Numbers behind the figures of the energy model: parity and calibration."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.stats import norm

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from screening.energy.model import EnergyPrediction

PARITY_POINTS = 400
"""Most points of a parity plot, drawn from the seed."""

NOMINAL = np.linspace(0.05, 0.95, 19)
"""Nominal coverages of a calibration curve; the ends, 0 and 1, say nothing."""


def energy_plots(
    prediction: EnergyPrediction,
    truth: NDArray[np.floating],
    formulas: Sequence[str],
    *,
    seed: int = 0,
) -> dict[str, Any]:
    """Sample a parity plot and measure a calibration curve.

    Parameters
    ----------
    prediction
        ``n`` predictions.
    truth
        Formation energies (eV/atom), shape ``(n,)``.
    formulas
        ``n`` labels.
    seed
        Seed of the sample.

    Returns
    -------
    ``parity``: columns ``formula``, ``computed`` and ``predicted`` (eV/atom). ``calibration``:
    columns ``nominal`` and ``observed``, the share of truths within the mean and so many standard
    deviations as hold that share of a normal distribution; and ``observed90``, the share inside the
    calibrated 90 % interval, which assumes no distribution.
    """
    truth = np.asarray(truth, dtype=np.float64)
    order = np.random.default_rng(seed).permutation(len(truth))
    rows = np.sort(order[:PARITY_POINTS])
    deviations = np.abs(truth - prediction.mean) / np.maximum(prediction.std, 1e-9)
    widths = norm.ppf(0.5 + NOMINAL / 2)
    inside = (truth >= prediction.lower90) & (truth <= prediction.upper90)
    return {
        "parity": {
            "formula": [formulas[i] for i in rows],
            "computed": truth[rows].round(3).tolist(),
            "predicted": prediction.mean[rows].astype(np.float64).round(3).tolist(),
        },
        "calibration": {
            "nominal": NOMINAL.round(2).tolist(),
            "observed": (deviations[:, None] <= widths).mean(axis=0).round(4).tolist(),
            "observed90": round(float(inside.mean()), 4),
        },
    }
