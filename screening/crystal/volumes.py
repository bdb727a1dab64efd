"""Volumes of the elements in compounds: the simple fallback when no volume is predicted."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from screening.elements import MAX_Z

Floats = NDArray[np.float64]

DEFAULT_VOLUME = 18.0
"""Volume (Angstrom^3/atom) of an element of which nothing is known."""

_MIN_VOLUME = 2.0
_PRIOR_WEIGHT = 1.0


def fit_element_volumes(
    elements: NDArray[np.uint8], counts: NDArray[np.uint8], volumes: NDArray[np.float32]
) -> Floats:
    """Fit one volume per element, so that their mean gives the volume of a crystal.

    Parameters
    ----------
    elements
        Atomic numbers, padded with 0, shape ``(d, k)``.
    counts
        Atoms of each, shape ``(d, k)``.
    volumes
        Volume of each crystal (Angstrom^3/atom), shape ``(d,)``.

    Returns
    -------
    Angstrom^3 per atom, shape ``(MAX_Z + 1,)``, at least 2. Each element is held to the mean volume
    with the weight of one crystal.
    """
    if not len(volumes):
        return np.full(MAX_Z + 1, DEFAULT_VOLUME)
    amounts = np.where(elements > 0, counts, 0).astype(np.float64)
    fractions = np.zeros((len(volumes), MAX_Z + 1))
    np.add.at(fractions, (np.arange(len(volumes))[:, None], elements), amounts)
    fractions /= fractions.sum(axis=1, keepdims=True)
    mean = float(np.mean(volumes))
    normal = fractions.T @ fractions + _PRIOR_WEIGHT * np.eye(MAX_Z + 1)
    right = fractions.T @ (volumes - mean * fractions.sum(axis=1))
    return np.maximum(np.linalg.solve(normal, right) + mean, _MIN_VOLUME)
