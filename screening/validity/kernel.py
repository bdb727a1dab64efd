"""Compiled loops of the validity stage."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from screening.compiled import compiled

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from screening.validity.metal_table import MetalTable


@compiled
def score_all(
    numbers: NDArray[np.uint8], counts: NDArray[np.uint16], table: MetalTable
) -> NDArray[np.float64]:
    """Score all rows; see `metallicity.metallicity_scores`. The order of sums is SMACT's."""
    scores = np.zeros(len(numbers), dtype=np.float64)
    for row in range(len(numbers)):
        total = metals = metal_atoms = d_atoms = electrons = 0.0
        m = 0
        while m < numbers.shape[1] and counts[row, m] > 0:
            z, n = numbers[row, m], float(counts[row, m])
            total += n
            metals += table.metal[z]
            metal_atoms += n * table.metal[z]
            d_atoms += n * table.d_block[z]
            electrons += n * table.valence[z]
            m += 1
        if m:
            score = 0.3 * (metal_atoms / total) + 0.2 * (d_atoms / total)
            score += 0.2 * min(metals / 3.0, 1.0)
            score += 0.15 * _or_half(1.0 - abs(electrons / total - 8.0) / 8.0)
            score += 0.15 * _or_half(_likeness(numbers[row, :m], table.negativity))
            scores[row] = max(0.0, min(1.0, score))
    return scores


@compiled
def _or_half(value: float) -> float:
    """Return one half for NaN, which stands for a missing element property."""
    return 0.5 if np.isnan(value) else value


@compiled
def _likeness(numbers: NDArray[np.uint8], negativity: NDArray[np.float64]) -> float:
    """Return 1 minus the mean difference of electronegativity over the pairs, in units of 3."""
    mismatch = 0.0 * negativity[numbers[0]]
    pairs = 0
    for i in range(len(numbers)):
        for j in range(i + 1, len(numbers)):
            mismatch += abs(negativity[numbers[i]] - negativity[numbers[j]])
            pairs += 1
    if pairs:
        mismatch /= pairs
    return float(mismatch if np.isnan(mismatch) else 1.0 - min(mismatch / 3.0, 1.0))
