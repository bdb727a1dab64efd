"""Match rates of predicted crystals, as crystal-structure prediction reports them.

A prediction matches if pymatgen's StructureMatcher (Ong et al. 2013,
doi:10.1016/j.commatsci.2012.10.028) maps it onto the reference, volumes made equal and cells made
primitive; no prediction is filtered out before. Two tolerances are in use: the loose one of CDVAE
(Xie et al. 2022, https://openreview.net/forum?id=03RLpj-tc_) and pymatgen's own, strict one.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from screening.metrics.intervals import bootstrap_interval

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from pymatgen.core import Structure

TOLERANCES = {"loose": (0.3, 0.5, 10.0), "strict": (0.2, 0.3, 5.0)}
"""ltol, stol and angle_tol (degrees) of StructureMatcher."""

RANKS = (1, 5, 20)


@cache
def matcher(tolerance: str) -> Any:
    """StructureMatcher with one of the `TOLERANCES`; all else as pymatgen sets it."""
    from pymatgen.analysis.structure_matcher import StructureMatcher

    ltol, stol, angle = TOLERANCES[tolerance]
    return StructureMatcher(ltol=ltol, stol=stol, angle_tol=angle)


def rms_distance(reference: Structure, predicted: Structure, tolerance: str) -> float:
    """Root mean square distance in units of (volume/atom)^(1/3), NaN if they do not match."""
    if reference.composition.reduced_composition != predicted.composition.reduced_composition:
        return float("nan")
    result = matcher(tolerance).get_rms_dist(reference, predicted)
    return float("nan") if result is None else float(result[0])


@dataclass(frozen=True)
class Matches:
    """Distances of ranked predictions from their references.

    Attributes
    ----------
    rms
        For each tolerance the distance of each target's predictions, shape ``(n, top_k)``, NaN
        where there is no match or no prediction.
    """

    rms: dict[str, NDArray[np.float64]]

    @classmethod
    def of(
        cls,
        references: Sequence[Structure],
        predictions: Sequence[Sequence[Structure]],
        top_k: int,
    ) -> Matches:
        """Compare the first `top_k` predictions of each target with its reference.

        What does not match loosely is not tried strictly: all strict tolerances are smaller.
        """
        rms = {name: np.full((len(references), top_k), np.nan) for name in TOLERANCES}
        for i, (reference, ranked) in enumerate(zip(references, predictions, strict=True)):
            for j, predicted in enumerate(ranked[:top_k]):
                rms["loose"][i, j] = rms_distance(reference, predicted, "loose")
                if np.isfinite(rms["loose"][i, j]):
                    rms["strict"][i, j] = rms_distance(reference, predicted, "strict")
        return cls(rms)

    def part(self, mask: NDArray[np.bool_]) -> Matches:
        """Keep some of the targets; `mask` has shape ``(n,)``."""
        return Matches({name: rms[mask] for name, rms in self.rms.items()})

    def ranks(self) -> list[int]:
        """1, 5 and 20 as far as predictions go, and the last rank."""
        top_k = next(iter(self.rms.values())).shape[1]
        return sorted({rank for rank in RANKS if rank < top_k} | {top_k})

    def hits(self, tolerance: str, rank: int) -> NDArray[np.bool_]:
        """Which targets have a match among the first `rank` predictions, shape ``(n,)``."""
        found = np.isfinite(self.rms[tolerance][:, :rank])
        return np.asarray(found.any(axis=1), dtype=bool)

    def rates(self) -> dict[str, dict[str, float]]:
        """Share of targets with a match, by tolerance and rank; NaN for no targets."""
        return {
            name: {
                str(rank): float(np.mean(hits)) if len(hits) else float("nan")
                for rank in self.ranks()
                for hits in [self.hits(name, rank)]
            }
            for name in self.rms
        }

    def intervals(self, seed: int) -> dict[str, dict[str, list[float]]]:
        """95 % bootstrap interval of each rate, over targets."""
        return {
            name: {
                str(rank): list(bootstrap_interval(self.hits(name, rank).astype(float), seed=seed))
                for rank in self.ranks()
            }
            for name in self.rms
        }

    def rmse(self) -> dict[str, float | None]:
        """Mean distance of the best-ranked match, over the targets that have one; None if none."""
        return {
            name: _mean([row[np.isfinite(row)][0] for row in rms if np.isfinite(row).any()])
            for name, rms in self.rms.items()
        }

    def closest(self) -> dict[str, float | None]:
        """Mean distance of the closest match, over the targets that have one; None if none."""
        return {
            name: _mean([np.nanmin(row) for row in rms if np.isfinite(row).any()])
            for name, rms in self.rms.items()
        }


def _mean(values: list[float]) -> float | None:
    return float(np.mean(values)) if values else None
