"""Ranking compositions by predicted energies: against each other, not against zero.

The lowest formation energies of a chemical system are those of its most ionic compositions; what
may exist is what lies low against its neighbours. With one chemical system the predicted energies
give a predicted convex hull, and the distance to it ranks better than the energy itself (Bartel et
al. 2020, doi:10.1038/s41524-020-00362-y, on why formation energies alone mislead).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from screening.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from screening.composition import CompositionArray

MAX_ELEMENTS = 6
_CHUNK = 20_000


def predicted_hull_distance(
    compositions: CompositionArray, energies: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Distance of each composition to the hull of all of them and the elements.

    Parameters
    ----------
    compositions
        Of one chemical system with at most six elements, n rows.
    energies
        Formation energies (eV/atom), shape ``(n,)``.

    Returns
    -------
    Energy above the lower hull (eV/atom), shape ``(n,)``, at least 0; the elements are at 0.

    Raises
    ------
    InputError
        If there are more than six elements.
    """
    elements = np.unique(compositions.numbers[compositions.numbers > 0])
    if len(elements) > MAX_ELEMENTS:
        raise InputError(
            f"a predicted hull needs one chemical system of at most {MAX_ELEMENTS} elements, "
            f"these have {len(elements)}: rank by formation_energy"
        )
    fractions = np.zeros((len(compositions), len(elements)))
    column = np.searchsorted(elements, compositions.numbers)
    rows = np.arange(len(compositions))[:, None]
    np.add.at(
        fractions,
        (np.broadcast_to(rows, column.shape), np.minimum(column, len(elements) - 1)),
        compositions.fractions(),
    )
    values = np.asarray(energies, dtype=np.float64)
    planes = _lower_planes(fractions, values)
    hull = np.empty(len(values))
    for start in range(0, len(values), _CHUNK):
        part = fractions[start : start + _CHUNK, :-1]
        hull[start : start + _CHUNK] = (part @ planes[:, :-1].T + planes[:, -1]).max(axis=1)
    distance: NDArray[np.float64] = np.maximum(values - hull, 0.0)
    return distance


def _lower_planes(
    fractions: NDArray[np.float64], energies: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Planes ``energy = slope . x + offset`` of the lower hull, shape ``(p, k)``.

    The lower hull is convex, so its energy at x is the highest of these planes there.
    """
    k = fractions.shape[1]
    below = energies < 0
    if k == 1 or not below.any():
        return np.zeros((1, k))
    from scipy.spatial import ConvexHull

    points = np.vstack([fractions[below][:, :-1], np.eye(k)[:, :-1]])
    heights = np.concatenate([energies[below], np.zeros(k)])
    # a point far above closes the hull on top, so that few points are not degenerate
    top = np.append(points.mean(axis=0), 1.0 - heights.min())
    hull = ConvexHull(np.vstack([np.column_stack([points, heights]), top]))
    planes = hull.equations[hull.equations[:, -2] < -1e-9]
    result: NDArray[np.float64] = -planes[:, [*range(k - 1), -1]] / planes[:, -2:-1]
    return result


def rank_compositions(
    compositions: CompositionArray, energies: NDArray[np.floating], *, top: int, by_hull: bool
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Choose the best distinct compositions.

    Parameters
    ----------
    compositions
        Reduced; the first of several equal rows counts.
    energies
        Formation energies (eV/atom), shape ``(n,)``.
    top
        Most rows that are returned.
    by_hull
        Rank by the distance to the predicted hull, otherwise by the energy; equal distances (all
        that lie on the hull) by the energy.

    Returns
    -------
    Rows, best first, and their scores (eV/atom, lower is better).
    """
    _, first = np.unique(compositions.keys(), return_index=True)
    rows = np.sort(first)
    values = np.asarray(energies, dtype=np.float64)[rows]
    score = predicted_hull_distance(compositions[rows], values) if by_hull else values
    order = np.lexsort((rows, values, score.round(6)))[:top]
    return rows[order], score[order]
