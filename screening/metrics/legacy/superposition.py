"""Root mean square distances after the two clouds of atoms were laid over each other, as coded.

Two releases of the authors' code exist. The older one, which made their result tables, rotates,
translates and also *scales* the prediction, atom by atom in the order of the file
(`superpose_rmsd`; the same numbers as `superpose3d` 1.5.0). The newer one uses the iterative
closest points of Open3D (`icp_rmsd`). Neither knows elements or periodic images.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial.distance import cdist

from screening.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

MAX_DISTANCE = 5.0
"""Angstrom between points that the ICP may pair."""
MAX_ITERATIONS = 1000
CONVERGENCE = 1e-6


def superpose_rmsd(reference: Floats, predicted: Floats) -> float:
    """RMSD after the best rotation, translation and scaling of the prediction, in Angstrom.

    Never above the radius of gyration of the reference, however wrong the prediction: scaling to
    a point reaches that. Reordering equal atoms changes it.

    Parameters
    ----------
    reference, predicted
        Cartesian coordinates in Angstrom, both of shape ``(n, 3)``.

    Raises
    ------
    InputError
        If the numbers of atoms differ.
    """
    if len(reference) != len(predicted):
        raise InputError(
            f"{len(reference)} and {len(predicted)} atoms cannot be superposed one on one"
        )
    first = reference - reference.mean(axis=0)
    second = predicted - predicted.mean(axis=0)
    size = (second**2).sum()
    if size == 0:
        return float(np.sqrt((first**2).sum() / len(first)))
    rotation, singular = _rotation(first, second)
    del rotation
    return float(np.sqrt(max(0.0, ((first**2).sum() - singular**2 / size) / len(first))))


def icp_rmsd(reference: Floats, predicted: Floats) -> float:
    """RMSD after iterative closest points from where the prediction lies, in Angstrom.

    If every predicted atom ends within 5 Angstrom of an atom of the reference: the RMSD of these
    pairs, in which several atoms may share one partner, so that a wrong crystal can reach 0. Else
    the atoms left over on both sides are paired in the order of the file and count too. Depends
    on origin and orientation: ICP goes to the nearest local minimum.

    Gives the numbers of `registration_icp` of Open3D 0.20 (point to point) where every atom is
    paired; the pairing of what is left over is our reading of the authors.

    Parameters
    ----------
    reference, predicted
        Cartesian coordinates in Angstrom, shapes ``(n, 3)`` and ``(m, 3)``.
    """
    moved = predicted.copy()
    share, rmse, partners = _nearest(reference, moved)
    for _ in range(MAX_ITERATIONS):
        inside = partners >= 0
        if not inside.any():
            break
        target, source = reference[partners[inside]], moved[inside]
        rotation, _ = _rotation(target - target.mean(axis=0), source - source.mean(axis=0))
        moved = (moved - source.mean(axis=0)) @ rotation + target.mean(axis=0)
        before = share, rmse
        share, rmse, partners = _nearest(reference, moved)
        if abs(before[0] - share) < CONVERGENCE and abs(before[1] - rmse) < CONVERGENCE:
            break
    if share == 1:
        return rmse
    left = moved[partners < 0]
    unused = reference[np.setdiff1d(np.arange(len(reference)), partners)]
    n = min(len(left), len(unused))
    inside = partners >= 0
    squares = np.concatenate(
        [
            ((moved[inside] - reference[partners[inside]]) ** 2).sum(axis=1),
            ((left[:n] - unused[:n]) ** 2).sum(axis=1),
        ]
    )
    return float(np.sqrt(squares.mean())) if len(squares) else float("nan")


def _nearest(reference: Floats, moved: Floats) -> tuple[float, float, NDArray[np.int64]]:
    """Share of atoms with a partner, RMSD of these, and the partners (-1 for none)."""
    costs = cdist(moved, reference)
    partners = costs.argmin(axis=1)
    lengths = costs.min(axis=1)
    inside = lengths <= MAX_DISTANCE
    rmse = float(np.sqrt((lengths[inside] ** 2).mean())) if inside.any() else 0.0
    return float(inside.mean()), rmse, np.where(inside, partners, -1)


def _rotation(first: Floats, second: Floats) -> tuple[Floats, float]:
    """Rotation R, without reflection, for which `second @ R` is nearest; and trace of the fit."""
    left, singular, right = np.linalg.svd(second.T @ first)
    signs = np.array([1.0, 1.0, np.sign(np.linalg.det(left @ right)) or 1.0])
    return (left * signs) @ right, float(singular @ signs)
