"""Known compositions with like elements in the same stoichiometry, and their distances to the hull.

The similarity of two elements is the substitution probability of Hautier et al. 2011
(doi:10.1021/ic102031h). A composition is never its own neighbour.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from screening.elements import column
from screening.prototypes.hautier import log_substitution

if TYPE_CHECKING:
    from screening.composition import CompositionArray

Floats = NDArray[np.float64]

SHARPNESS = (0.5, 1.0)
"""Factors on the logarithm of the similarity: wide and narrow neighbourhoods."""
LARGEST = 0.5
"""Distances count up to this (eV/atom): beyond, it makes no difference."""
STABLE_SHARE, MEAN_DISTANCE = 0.4, 0.1
"""Assumed for a composition without neighbours: the means of the Materials Project."""
PSEUDO_WEIGHT = 1e-3
"""Weight of these means, in neighbours of equal elements."""
ROWS = 256
COLUMNS = 3 * len(SHARPNESS) + 1


class Neighbours:
    """Compositions with known distances to the hull.

    Parameters
    ----------
    compositions
        n compositions, reduced, each once.
    distances
        Their DFT distances to the hull (eV/atom), shape ``(n,)``.
    """

    def __init__(self, compositions: CompositionArray, distances: Floats) -> None:
        self._families: dict[tuple[int, ...], tuple[NDArray[np.int64], Floats, Floats]] = {}
        stable = (distances <= 0).astype(np.float64)
        clipped = np.minimum(distances, LARGEST)
        for counts, (rows, elements) in _families(compositions).items():
            self._families[counts] = (elements, stable[rows], clipped[rows])

    def statistics(self, compositions: CompositionArray) -> Floats:
        """Describe the neighbourhoods of m compositions.

        Returns
        -------
        For each of `SHARPNESS`: share of stable neighbours, their mean distance (eV/atom), and the
        logarithm of their weight; then the logarithm of the number of compositions with the same
        stoichiometry. Shape ``(m, 7)``.
        """
        table = np.zeros((len(compositions), COLUMNS))
        table[:] = [
            *(STABLE_SHARE, MEAN_DISTANCE, np.log(PSEUDO_WEIGHT)) * len(SHARPNESS),
            0.0,
        ]
        for counts, (rows, elements) in _families(compositions.reduced()).items():
            if counts in self._families:
                for start in range(0, len(rows), ROWS):
                    span = slice(start, start + ROWS)
                    table[rows[span]] = self._describe(elements[span], counts)
        return table

    def _describe(self, elements: NDArray[np.int64], counts: tuple[int, ...]) -> Floats:
        candidates, stable, distances = self._families[counts]
        weights = log_substitution()
        similarity = np.zeros((len(elements), len(candidates)))
        for k in range(elements.shape[1]):
            species = elements[:, k]
            similarity += (
                weights[species[:, None], candidates[:, k]] - weights[species, species][:, None]
            )
        itself = (elements[:, None, :] == candidates[None]).all(axis=2)
        columns = []
        for sharpness in SHARPNESS:
            share = np.where(itself, 0.0, np.exp(sharpness * similarity))
            total = share.sum(axis=1) + PSEUDO_WEIGHT
            columns += [
                (share @ stable + STABLE_SHARE * PSEUDO_WEIGHT) / total,
                (share @ distances + MEAN_DISTANCE * PSEUDO_WEIGHT) / total,
                np.log(total),
            ]
        return np.stack([*columns, np.log1p(len(candidates) - itself.sum(axis=1))], axis=1)


def _families(
    compositions: CompositionArray,
) -> dict[tuple[int, ...], tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Group compositions by stoichiometry.

    Returns
    -------
    Counts, ascending -> rows ``(m,)``, and their elements ``(m, k)`` in the order of counts and,
    among equal counts, of electronegativity.
    """
    electronegativity = np.nan_to_num(column("magpie_Electronegativity"))
    groups: dict[tuple[int, ...], tuple[list[int], list[list[int]]]] = {}
    pairs = zip(compositions.numbers.tolist(), compositions.counts.tolist(), strict=True)
    for row, (numbers, counts) in enumerate(pairs):
        order = sorted(
            (count, electronegativity[z], z) for z, count in zip(numbers, counts, strict=True) if z
        )
        rows, elements = groups.setdefault(tuple(count for count, _, _ in order), ([], []))
        rows.append(row)
        elements.append([z for _, _, z in order])
    return {
        counts: (np.array(rows), np.array(elements)) for counts, (rows, elements) in groups.items()
    }
