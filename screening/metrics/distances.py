"""How well predicted distance matrices agree with the true ones.

A distance matrix holds, for each pair of atoms of the cell, the shortest distance between one and
all periodic images of the other, in Angstrom; the diagonal never counts. AlphaCrystal-II (Song et
al. 2024, doi:10.48550/arXiv.2404.04810) prints an RMSE that is the mean of one root per crystal
beside an MSE whose root is larger (0.924 and 1.249 for 20 bins); the first hides crystals that are
far off. Both are here, under names of their own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from screening.errors import InputError
from screening.metrics.contacts import pairs
from screening.metrics.intervals import bootstrap_interval

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray


def distance_rmse(reference: ArrayLike, predicted: ArrayLike) -> Any:
    """Root mean square difference over the pairs of atoms, in Angstrom.

    Parameters
    ----------
    reference, predicted
        Distances in Angstrom, shape ``(..., n, n)``, atoms in the same order.

    Returns
    -------
    Shape ``(...)``; 0 for a single atom.
    """
    errors = _errors(reference, predicted)
    return np.sqrt((errors**2).sum(axis=-1) / max(errors.shape[-1], 1))


def distance_mae(reference: ArrayLike, predicted: ArrayLike) -> Any:
    """Mean absolute difference over the pairs of atoms, in Angstrom; as `distance_rmse`."""
    errors = _errors(reference, predicted)
    return np.abs(errors).sum(axis=-1) / max(errors.shape[-1], 1)


@dataclass(frozen=True)
class DistanceScores:
    """Errors of the distance matrices of many crystals.

    Attributes
    ----------
    rmse
        Of each crystal with a prediction, in Angstrom, shape ``(n,)``.
    n_pairs
        Pairs of atoms of each of them, shape ``(n,)``; crystals of one atom have none.
    n_failed
        Crystals without a prediction: an error in Angstrom cannot be made up for them, hence they
        are left out of all means and must be reported beside them.
    """

    rmse: NDArray[np.float64]
    n_pairs: NDArray[np.int64]
    n_failed: int

    @classmethod
    def of(
        cls, references: Sequence[ArrayLike], predictions: Sequence[ArrayLike | None]
    ) -> DistanceScores:
        """Score each predicted matrix; None or a matrix with NaN for one that failed."""
        scored = [
            (float(distance_rmse(reference, predicted)), pairs(reference).shape[-1])
            for reference, predicted in zip(references, predictions, strict=True)
            if predicted is not None and np.isfinite(np.asarray(predicted)).all()
        ]
        return cls(
            np.array([value for value, _ in scored], dtype=np.float64),
            np.array([n for _, n in scored], dtype=np.int64),
            len(references) - len(scored),
        )

    def mean(self) -> float:
        """Mean over crystals of the root of each, the papers' RMSE; NaN for none."""
        return float(self.rmse.mean()) if len(self.rmse) else float("nan")

    def pooled(self) -> float:
        """Root over all pairs of all crystals, never below `mean` for equal sizes; NaN for none."""
        total = self.n_pairs.sum()
        return float(np.sqrt((self.rmse**2 @ self.n_pairs) / total)) if total else float("nan")

    def interval(self, seed: int) -> list[float]:
        """95 % bootstrap interval of `mean`, over crystals."""
        return list(bootstrap_interval(self.rmse, seed=seed))


def _errors(reference: ArrayLike, predicted: ArrayLike) -> NDArray[np.float64]:
    first, second = pairs(reference), pairs(predicted)
    if first.shape[-1] != second.shape[-1]:
        raise InputError(
            f"distances of shapes {np.shape(reference)} and {np.shape(predicted)} cannot be "
            "compared: they must have the same atoms"
        )
    return np.asarray(second - first, dtype=np.float64)
