"""Distances in periodic cells: too short contacts, and a fingerprint that tells crystals apart.

The fingerprint is the average minimum distance of Widdowson et al. 2022
(doi:10.46793/match.87-3.529W), kept apart by pairs of elements: for atoms of A, the mean distance
to the first, second, ... k-th nearest atom of B, in units of the cube root of the volume per atom.
It needs no choice of cell or origin and changes continuously with the atoms.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from screening.compiled import compiled
from screening.elements import column

Floats = NDArray[np.float64]
N_NEIGHBOURS = 8
MIN_CONTACT = 0.6
"""Shortest distance that generators accept, in units of the sum of the covalent radii."""
REACH = 3.0
"""Distances in the fingerprint are cut off here (in cube roots of the volume per atom)."""

_UNKNOWN_RADIUS = 1.6


def covalent_radii() -> Floats:
    """Covalent radii by atomic number in Angstrom (Cordero 2008); 1.6 where none is known."""
    return np.nan_to_num(column("covalent_radius"), nan=_UNKNOWN_RADIUS)


@compiled
def images_needed(lattice: Floats, cutoff: float) -> NDArray[np.int64]:
    """Images in each direction that hold all points within `cutoff` of a point in the cell."""
    volume = abs(np.linalg.det(lattice))
    needed = np.zeros(3, dtype=np.int64)
    for i in range(3):
        normal = np.cross(lattice[(i + 1) % 3], lattice[(i + 2) % 3])
        height = volume / np.sqrt((normal * normal).sum())
        needed[i] = int(np.ceil(cutoff / height))
    return needed


@compiled
def _nearest(
    lattice: Floats, points: Floats, types: NDArray[np.int64], sums: Floats, cutoff: float
) -> None:
    """Fill `sums` (n_types, n_types, k), zeros before, with mean distances; cutoff where none."""
    n, n_types, k = len(points), sums.shape[0], sums.shape[2]
    needed = images_needed(lattice, cutoff)
    cartesian = points @ lattice
    totals = np.zeros(n_types)
    best = np.empty((n_types, k))
    for i in range(n):
        best[:] = cutoff * cutoff
        for a in range(-needed[0], needed[0] + 1):
            for b in range(-needed[1], needed[1] + 1):
                for c in range(-needed[2], needed[2] + 1):
                    shift = a * lattice[0] + b * lattice[1] + c * lattice[2] - cartesian[i]
                    for j in range(n):
                        dx = cartesian[j, 0] + shift[0]
                        dy = cartesian[j, 1] + shift[1]
                        dz = cartesian[j, 2] + shift[2]
                        square = dx * dx + dy * dy + dz * dz
                        row = best[types[j]]
                        if square < 1e-12 or square >= row[k - 1]:
                            continue
                        place = k - 1
                        while place > 0 and row[place - 1] > square:
                            row[place] = row[place - 1]
                            place -= 1
                        row[place] = square
        totals[types[i]] += 1
        sums[types[i]] += np.sqrt(best)
    for t in range(n_types):
        sums[t] /= totals[t]


def fingerprint(lattice: Floats, points: Floats, numbers: NDArray[np.int64]) -> Floats:
    """Average minimum distances by pair of elements, at one atom per unit volume.

    Parameters
    ----------
    lattice
        Row vectors, shape ``(3, 3)``.
    points
        Fractional coordinates, shape ``(n, 3)``.
    numbers
        Atomic numbers, shape ``(n,)``.

    Returns
    -------
    Shape ``(m, m, 8)`` for ``m`` elements in ascending order, dimensionless; 3 stands for
    "farther".
    """
    unique, types = np.unique(numbers, return_inverse=True)
    length = (abs(np.linalg.det(lattice)) / len(points)) ** (1 / 3)
    result = np.zeros((len(unique), len(unique), N_NEIGHBOURS))
    _nearest(
        np.ascontiguousarray(lattice / length),
        np.ascontiguousarray(points % 1.0),
        types.astype(np.int64),
        result,
        REACH,
    )
    return result


@compiled
def _closest(lattice: Floats, points: Floats, radii: Floats, limit: float) -> float:
    """Smallest distance over the sum of radii; values above `limit` are returned as `limit`."""
    n = len(points)
    cutoff = 2 * limit * radii.max()
    needed = images_needed(lattice, cutoff)
    cartesian = points @ lattice
    best = limit
    for i in range(n):
        for a in range(-needed[0], needed[0] + 1):
            for b in range(-needed[1], needed[1] + 1):
                for c in range(-needed[2], needed[2] + 1):
                    shift = a * lattice[0] + b * lattice[1] + c * lattice[2] - cartesian[i]
                    for j in range(i, n):
                        if i == j and a == 0 and b == 0 and c == 0:
                            continue
                        dx = cartesian[j, 0] + shift[0]
                        dy = cartesian[j, 1] + shift[1]
                        dz = cartesian[j, 2] + shift[2]
                        ratio = np.sqrt(dx * dx + dy * dy + dz * dz) / (radii[i] + radii[j])
                        best = min(best, ratio)
    return best


def closest_contact(lattice: Floats, points: Floats, radii: Floats, limit: float = 2.0) -> float:
    """Smallest interatomic distance, in units of the sum of the two radii.

    Parameters
    ----------
    lattice
        Row vectors in Angstrom, shape ``(3, 3)``.
    points
        Fractional coordinates, shape ``(n, 3)``.
    radii
        Radii in Angstrom, shape ``(n,)``.
    limit
        Larger ratios are returned as this.
    """
    return float(
        _closest(
            np.ascontiguousarray(lattice, dtype=np.float64),
            np.ascontiguousarray(points % 1.0),
            np.ascontiguousarray(radii, dtype=np.float64),
            limit,
        )
    )
