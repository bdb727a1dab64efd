"""Figures of merit of decisions and probabilities, with bootstrap intervals."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

BEST_SHARE = 0.2
BINS = 10
RESAMPLES = 1000


def rank_area(labels: NDArray[np.bool_], scores: Floats) -> float:
    """Area under the receiver operating characteristic; NaN if only one class is there."""
    from scipy.stats import rankdata

    n_positive = int(labels.sum())
    n_negative = len(labels) - n_positive
    if not n_positive or not n_negative:
        return float("nan")
    ranks = rankdata(scores)[labels].sum()
    return float((ranks - n_positive * (n_positive + 1) / 2) / (n_positive * n_negative))


def decision_figures(
    labels: NDArray[np.bool_], scores: Floats, called: NDArray[np.bool_]
) -> dict[str, float]:
    """Figures of a ranking and of what is called stable.

    Parameters
    ----------
    labels
        Whether each composition is stable, shape ``(n,)``.
    scores
        Higher for more stable.
    called
        Whether it is called stable.

    Returns
    -------
    auc, precision, recall, f1, precision_at_20 (in the best 20 %, ties by their mean), n_called.
    """
    hits = float((labels & called).sum())
    precision = hits / called.sum() if called.any() else float("nan")
    recall = hits / labels.sum() if labels.any() else float("nan")
    total = precision + recall
    return {
        "auc": rank_area(labels, scores),
        "precision": precision,
        "recall": recall,
        "f1": 2 * precision * recall / total if total > 0 else float("nan"),
        "precision_at_20": _precision_at(labels, scores, BEST_SHARE),
        "n_called": int(called.sum()),
    }


def _precision_at(labels: NDArray[np.bool_], scores: Floats, share: float) -> float:
    """Share of stable ones in the best part; a tie at its end counts with its mean."""
    n = max(1, round(share * len(scores)))
    threshold = np.sort(scores)[-n]
    above, tied = scores > threshold, scores == threshold
    missing = n - int(above.sum())
    return float((labels[above].sum() + missing * labels[tied].mean()) / n)


def probability_figures(labels: NDArray[np.bool_], probability: Floats) -> dict[str, float]:
    """Brier score, logarithmic score (nat) and expected calibration error (10 bins)."""
    clipped = np.clip(probability, 1e-6, 1 - 1e-6)
    gaps = [
        abs(row["predicted"] - row["observed"]) * row["n"]
        for row in reliability(labels, probability)
    ]
    return {
        "brier": float(np.mean((probability - labels) ** 2)),
        "log_score": float(-np.mean(np.where(labels, np.log(clipped), np.log1p(-clipped)))),
        "ece": float(sum(gaps) / len(labels)),
    }


def reliability(labels: NDArray[np.bool_], probability: Floats) -> list[dict[str, float]]:
    """Mean probability and share of stable ones in each bin that is not empty."""
    bins = np.minimum((probability * BINS).astype(int), BINS - 1)
    return [
        {
            "predicted": float(probability[bins == k].mean()),
            "observed": float(labels[bins == k].mean()),
            "n": int((bins == k).sum()),
        }
        for k in range(BINS)
        if (bins == k).any()
    ]


def all_figures(labels: NDArray[np.bool_], probability: Floats) -> dict[str, Any]:
    """Everything of one set of probabilities."""
    return {
        **decision_figures(labels, probability, probability >= 0.5),
        **probability_figures(labels, probability),
    }


def figure_intervals(
    labels: NDArray[np.bool_], probability: Floats, seed: int
) -> dict[str, list[float]]:
    """Bootstrap 95 % intervals of all figures."""
    rng = np.random.default_rng(seed)
    drawn: dict[str, list[float]] = {}
    for _ in range(RESAMPLES):
        rows = rng.integers(len(labels), size=len(labels))
        for name, value in all_figures(labels[rows], probability[rows]).items():
            drawn.setdefault(name, []).append(value)
    return {
        name: np.nanquantile(values, [0.025, 0.975]).tolist()
        for name, values in drawn.items()
        if name != "n_called" and not np.isnan(values).all()
    }
