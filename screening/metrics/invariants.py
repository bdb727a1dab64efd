"""Pointwise distance distributions: crystals as points of a metric space, without a tolerance.

The PDD of a crystal has one row per atom of the cell, the distances to its k nearest neighbours in
the infinite crystal, with a weight; the AMD is the mean row (Widdowson et al. 2022,
doi:10.46793/match.87-3.529W; Widdowson and Kurlin 2022, arXiv:2108.04798). Neither depends on the
cell, the origin, the orientation or the order of atoms, and both change continuously with the
atoms. They do not know the elements: crystals of one pattern and other elements are at 0.

Own code; `average-minimum-distance` 1.6.1 has the same AMD and PDD to 1e-9 Angstrom and the same
earth mover's distance to 1e-7 (`tests/screening/metrics/test_peers.py`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.optimize import linear_sum_assignment, linprog
from scipy.sparse import eye_array as eye
from scipy.sparse import kron, vstack
from scipy.spatial import cKDTree
from scipy.spatial.distance import cdist

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pymatgen.core import Structure

    Floats = NDArray[np.float64]

K = 100
"""Neighbours."""
COLLAPSE = 1e-4
"""Rows that agree to this (Angstrom, in every distance) are one."""


class Pdd(NamedTuple):
    """Pointwise distance distribution.

    Attributes
    ----------
    weights
        Share of the atoms of each row, shape ``(m,)``.
    distances
        Ascending in each row, in Angstrom, shape ``(m, k)``.
    """

    weights: Floats
    distances: Floats


def neighbour_distances(lattice: Floats, points: Floats, k: int = K) -> Floats:
    """Distances from each atom of the cell to its `k` nearest in the infinite crystal.

    Parameters
    ----------
    lattice
        Row vectors in Angstrom, shape ``(3, 3)``.
    points
        Fractional coordinates, shape ``(n, 3)``.
    k
        Number of neighbours; atoms at one place are each other's at 0.

    Returns
    -------
    Ascending in each row, in Angstrom, shape ``(n, k)``.
    """
    points = points - np.floor(points)
    heights = 1 / np.linalg.norm(np.linalg.inv(lattice), axis=0)
    volume = abs(np.linalg.det(lattice))
    radius = (3 * volume * (k + 1) / (4 * np.pi * len(points))) ** (1 / 3)
    while True:
        # images up to `reach` cells away hold every atom within `radius` of an atom of the cell
        reach = np.ceil(radius / heights).astype(int)
        shifts = np.stack(
            np.meshgrid(*(np.arange(-r, r + 1) for r in reach), indexing="ij"), axis=-1
        ).reshape(-1, 1, 3)
        images = ((points + shifts).reshape(-1, 3)) @ lattice
        if len(images) > k:
            found, _ = cKDTree(images).query(points @ lattice, k=k + 1)
            if found[:, -1].max() <= radius:
                return np.asarray(found[:, 1:], dtype=np.float64)
        radius *= 1.25


def pdd(structure: Structure, k: int = K, collapse: float = COLLAPSE) -> Pdd:
    """Pointwise distance distribution of a crystal; see the module."""
    rows = neighbour_distances(
        np.asarray(structure.lattice.matrix), np.asarray(structure.frac_coords), k
    )
    rows = rows[np.lexsort(rows.T[::-1])]
    kept: list[Floats] = []
    counts: list[int] = []
    for row in rows:
        near = [i for i, other in enumerate(kept) if np.abs(row - other).max() <= collapse]
        if near:
            counts[near[0]] += 1
        else:
            kept.append(row)
            counts.append(1)
    return Pdd(np.array(counts) / len(rows), np.array(kept))


def amd(structure: Structure, k: int = K) -> Floats:
    """Average minimum distances of a crystal in Angstrom, shape ``(k,)``."""
    rows = neighbour_distances(
        np.asarray(structure.lattice.matrix), np.asarray(structure.frac_coords), k
    )
    return np.asarray(rows.mean(axis=0))


def amd_distance(reference: Structure, predicted: Structure, k: int = K) -> float:
    """Largest difference of the average minimum distances, in Angstrom; 0 or more."""
    return float(np.abs(amd(reference, k) - amd(predicted, k)).max())


def pdd_distance(reference: Structure, predicted: Structure, k: int = K) -> float:
    """Earth mover's distance of the two PDDs, in Angstrom; 0 or more.

    Moving weight from one row to another costs the largest difference of their distances. Never
    below `amd_distance`; no more than twice the largest displacement of an atom, if the lattice is
    the same.
    """
    return earth_movers_distance(pdd(reference, k), pdd(predicted, k))


def earth_movers_distance(first: Pdd, second: Pdd) -> float:
    """Cheapest way to turn one distribution into the other; the cost is the Chebyshev distance.

    Rows of equal weight and number are an assignment; all else is a linear programme.
    """
    costs = cdist(first.distances, second.distances, metric="chebyshev")
    n, m = costs.shape
    if n == m and np.allclose(first.weights, 1 / n) and np.allclose(second.weights, 1 / n):
        return float(costs[linear_sum_assignment(costs)].mean())
    equations = vstack([kron(eye(n), np.ones((1, m))), kron(np.ones((1, n)), eye(m))])
    weights = np.concatenate([first.weights, second.weights])
    result = linprog(costs.ravel(), A_eq=equations.tocsr(), b_eq=weights, method="highs")
    return float(result.fun)
