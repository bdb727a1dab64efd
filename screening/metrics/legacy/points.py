"""Distances between two bare clouds of points: the Cartesian atoms of the two cells, as coded.

Nothing is aligned, elements are ignored, and periodic images do not exist: the same crystal in
another cell, orientation or origin is far from itself.

Own code; gives the numbers of `point_cloud_utils` 0.34.0 (checked to 1e-9 Angstrom).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial.distance import cdist
from scipy.special import logsumexp

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pymatgen.core import Structure

    Floats = NDArray[np.float64]

EPSILON = 1e-3
"""Regularisation in Angstrom."""
MAX_ITERATIONS = 100
THRESHOLD = 1e-3
"""Stop when the potentials change by less than this (sum, Angstrom)."""


def cloud(structure: Structure) -> Floats:
    """Cartesian coordinates in Angstrom of the atoms inside the cell, shape ``(n, 3)``.

    Fractional coordinates are brought into [0, 1), as the authors' reader of CIF files does.
    """
    points = np.asarray(structure.frac_coords)
    return np.asarray((points - np.floor(points)) @ structure.lattice.matrix)


def sinkhorn(reference: Floats, predicted: Floats) -> float:
    """Cost of the entropic transport plan between atoms of weight 1, in Angstrom; 0 or more.

    A sum over atoms, not a mean: it grows with the cell. At most 100 iterations are made, which
    for this small regularisation often are too few: the plan may leave some atoms unsupplied.
    With other numbers of atoms there is no such plan at all and the number means nothing.

    Parameters
    ----------
    reference, predicted
        Cartesian coordinates in Angstrom, shapes ``(n, 3)`` and ``(m, 3)``.
    """
    costs = cdist(reference, predicted)
    u, v = np.zeros(len(reference)), np.zeros(len(predicted))
    for _ in range(MAX_ITERATIONS):
        previous = u, v
        u = -EPSILON * logsumexp((v - costs) / EPSILON, axis=1)
        v = -EPSILON * logsumexp((u - costs.T) / EPSILON, axis=1)
        if max(np.abs(previous[0] - u).sum(), np.abs(previous[1] - v).sum()) < THRESHOLD:
            break
    return float((costs * np.exp((u[:, None] + v - costs) / EPSILON)).sum())


def chamfer(reference: Floats, predicted: Floats) -> float:
    """Mean distance to the nearest atom of the other cell, both ways added, in Angstrom."""
    costs = cdist(reference, predicted)
    return float(costs.min(axis=1).mean() + costs.min(axis=0).mean())


def hausdorff(reference: Floats, predicted: Floats) -> float:
    """Largest distance of any atom to the nearest atom of the other cell, in Angstrom."""
    costs = cdist(reference, predicted)
    return float(max(costs.min(axis=1).max(), costs.min(axis=0).max()))
