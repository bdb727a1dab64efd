"""How well the networks tell which element is on a site."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from screening.metrics.intervals import bootstrap_interval
from screening.training.request import plain_metrics

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from screening.site_likelihood.likelihood import SiteLikelihood
    from screening.site_likelihood.site_descriptors import Sites

TOP = 5


def site_metrics(
    model: SiteLikelihood, sites: Sites, rows: NDArray[np.int64], *, seed: int
) -> dict[str, Any]:
    """Measure both classifiers on sites that they have not seen.

    Parameters
    ----------
    model
        The networks.
    sites
        Sites with atomic numbers as species.
    rows
        Which are measured, shape ``(n,)``.
    seed
        Seed of the bootstrap, which resamples crystals, not sites.

    Returns
    -------
    Number of sites, and for ``size`` (the softmax classifier of the paper) and ``topology``:
    ``error`` (the likeliest element is wrong) with its 95 % interval, and ``error_top5``.
    """
    metrics: dict[str, Any] = {"n_sites": len(rows)}
    truth = torch.from_numpy(sites.species[rows])
    for name, logits in zip(("topology", "size"), model.logits(sites, rows), strict=True):
        best = logits.topk(TOP, dim=1).indices
        hits = (best == truth[:, None]).numpy()
        wrong = ~hits[:, 0]
        metrics[name] = {
            "error": wrong.mean(),
            "error_interval": _interval_by_crystal(wrong, sites.crystals[rows], seed),
            "error_top5": 1 - hits.any(axis=1).mean(),
        }
    plain: dict[str, Any] = plain_metrics(metrics)
    return plain


def _interval_by_crystal(
    wrong: NDArray[np.bool_], crystals: NDArray[np.int64], seed: int
) -> tuple[float, float]:
    """Bootstrap interval of a share of sites; the sites of one crystal stay together."""
    _, places = np.unique(crystals, return_inverse=True)
    counts = np.bincount(places)
    errors = np.bincount(places, weights=wrong)
    index = np.arange(len(counts), dtype=np.float64)

    def share(drawn: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
        chosen = drawn.astype(np.int64)
        result: NDArray[np.float64] = errors[chosen].sum(axis=axis) / counts[chosen].sum(axis=axis)
        return result

    return bootstrap_interval(index, share, seed=seed)
