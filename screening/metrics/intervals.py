"""Bootstrap intervals."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray


def bootstrap_interval(
    values: NDArray[np.float64],
    statistic: Callable[..., NDArray[np.float64]] = np.mean,
    *,
    level: float = 0.95,
    n_resamples: int = 1000,
    seed: int = 0,
) -> tuple[float, float]:
    """Percentile bootstrap interval of a statistic of independent values.

    Parameters
    ----------
    values
        One value per item, shape ``(n,)``; booleans count as 0 and 1.
    statistic
        Reduces along ``axis=1``.
    level
        Coverage of the interval.
    n_resamples
        Number of resamples.
    seed
        Seed of the resampling.

    Returns
    -------
    Lower and upper end; ``(nan, nan)`` for no values.
    """
    values = np.asarray(values, dtype=np.float64)
    if not len(values):
        return float("nan"), float("nan")
    rng = np.random.default_rng(seed)
    chunk = max(1, 2_000_000 // len(values))
    parts = [
        statistic(
            values[rng.integers(len(values), size=(min(chunk, n_resamples - start), len(values)))],
            axis=1,
        )
        for start in range(0, n_resamples, chunk)
    ]
    low, high = np.quantile(np.concatenate(parts), [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def bootstrap_share(
    hits: int, n: int, *, level: float = 0.95, n_resamples: int = 1000, seed: int = 0
) -> tuple[float, float]:
    """Percentile bootstrap interval of a share, as `bootstrap_interval` of `n` booleans.

    The number of hits in a resample of booleans is binomial: millions of items cost nothing.

    Parameters
    ----------
    hits, n
        How many of how many items count.
    level, n_resamples, seed
        As in `bootstrap_interval`.
    """
    if not n:
        return float("nan"), float("nan")
    shares = np.random.default_rng(seed).binomial(n, hits / n, size=n_resamples) / n
    low, high = np.quantile(shares, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
