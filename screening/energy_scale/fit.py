"""Fitting of an energy scale: terms with their errors, the size of what is left, its quantiles."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from screening.elements import MAX_Z
from screening.energy_scale.classes import CLASSES, composition_classes
from screening.energy_scale.model import COVERAGE, error_size, spread_matrix
from screening.energy_scale.terms import element_fractions, term_matrix
from screening.errors import InputError
from screening.identity import derive_seed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from screening.composition import CompositionArray

Floats = NDArray[np.float64]

PRIOR = 0.3
"""Standard deviation of a term before there are data (eV/atom): the weight of the ridge."""
HUBER = 1.5
"""Residuals beyond so many standard deviations count less: some crystals are in another state."""
FLOOR = 1e-3
"""Smallest size of an error whose logarithm is learned (eV/atom)."""
SPREAD_RIDGE = 20.0
"""Weight of the ridge on the coefficients of the errors' size, in crystals."""
MIN_CLASS = 100
"""A class with fewer crystals takes the quantiles of all."""
FOLDS = 10


def fit_terms(matrix: Floats, targets: Floats, *, prior: float = PRIOR) -> tuple[Floats, Floats]:
    """Fit terms by ridge regression that outliers hardly move (Huber's weights).

    Parameters
    ----------
    matrix
        Terms of n crystals, shape ``(n, t)``.
    targets
        Shape ``(n,)`` (eV/atom).
    prior
        Standard deviation of a term that the data say nothing of (eV/atom).

    Returns
    -------
    terms
        Shape ``(t,)``.
    covariance
        Of the terms, shape ``(t, t)``.
    """
    weights: Floats = np.ones(len(targets))
    scale = max(float(np.std(targets)), FLOOR)
    identity: Floats = np.eye(matrix.shape[1])
    terms: Floats = np.zeros(matrix.shape[1])
    inverse: Floats = identity
    for _ in range(20):  # converges to 0.1 meV within about ten rounds
        weighted = matrix * weights[:, None]
        precision = weighted.T @ matrix + (scale / prior) ** 2 * identity
        inverse = np.asarray(np.linalg.inv(precision), dtype=np.float64)
        terms = inverse @ (weighted.T @ targets)
        residuals = np.abs(targets - matrix @ terms)
        scale = max(1.4826 * float(np.median(residuals)), FLOOR)
        weights = np.minimum(1.0, HUBER * scale / np.maximum(residuals, 1e-12))
    return terms, scale**2 * inverse


def fit_scale(
    compositions: CompositionArray,
    formulas: Sequence[str],
    differences: Floats,
    elements: Floats,
    *,
    relaxation: float = 0.0,
    seed: int = 0,
) -> dict[str, NDArray[Any]]:
    """Fit everything that `EnergyScale` needs.

    Parameters
    ----------
    compositions
        n crystals.
    formulas
        Their canonical formulas: equal ones are in the same fold.
    differences
        Energy of the potential minus formation energy on the scale (eV/atom), shape ``(n,)``.
    elements
        The potential's energies of the elemental references by atomic number (eV/atom).
    relaxation
        Change of the energy when a compound relaxes from the structure that `differences` are of
        (eV/atom): atomic fractions sum to 1, so that the terms of the elements take it up.
    seed
        Seed of the folds.

    Raises
    ------
    InputError
        If there are fewer than 100 compounds.
    """
    matrix = term_matrix(compositions)
    targets = differences - element_fractions(compositions) @ np.nan_to_num(elements)
    compound = compositions.n_elements() > 1
    if compound.sum() < MIN_CLASS:
        raise InputError(
            f"{int(compound.sum())} compounds are too few to fit an energy scale: give at least "
            f"{MIN_CLASS}"
        )
    terms, covariance = fit_terms(matrix[compound], targets[compound])
    residuals = _left_out(matrix, targets, compound, formulas, seed)
    spread = _fit_spread(compositions, residuals)
    size = error_size(compositions, spread, covariance)
    terms[:MAX_Z] += relaxation
    ratios = -residuals / size  # the truth minus the prediction is minus the residual of the energy
    return {
        "terms": terms,
        "covariance": covariance,
        "elements": elements,
        "spread": spread,
        "quantiles": _quantiles(ratios, composition_classes(compositions)),
        "counts": (element_fractions(compositions[compound]) > 0).sum(axis=0).astype(np.int32),
    }


def polymorph_ends(formulas: Sequence[str], truth: Floats, energies: Floats) -> Floats:
    """Quantiles of the error of a crystal that is put where the potential has it above the lowest.

    Parameters
    ----------
    formulas
        Canonical formulas of n crystals; those with one crystal do not count.
    truth
        Formation energies on the scale (eV/atom), shape ``(n,)``.
    energies
        The potential's (eV/atom), shape ``(n,)``.

    Returns
    -------
    Lower and upper end of the 90 % interval around the energy of the lowest crystal of the formula
    plus the potential's difference (eV/atom), shape ``(2,)``.
    """
    names = np.unique(np.asarray(formulas), return_inverse=True)[1]
    counts = np.bincount(names)
    lowest = np.full((2, len(counts)), np.inf)
    np.minimum.at(lowest[0], names, truth)
    np.minimum.at(lowest[1], names, energies)
    errors = (truth - lowest[0, names]) - (energies - lowest[1, names])
    several = errors[counts[names] > 1]
    return np.array(_ends(several) if len(several) >= MIN_CLASS else (-PRIOR, PRIOR))


def _left_out(
    matrix: Floats,
    targets: Floats,
    compound: NDArray[np.bool_],
    formulas: Sequence[str],
    seed: int,
) -> Floats:
    """Residuals of crystals whose formula the terms were fitted without; elements have no terms."""
    names = np.unique(np.asarray(formulas), return_inverse=True)[1]
    rng = np.random.default_rng(derive_seed("energy-scale", seed))
    fold = rng.integers(FOLDS, size=names.max() + 1)[names]
    residuals = targets.copy()
    for k in range(FOLDS):
        rows = compound & (fold == k)
        terms, _ = fit_terms(matrix[compound & (fold != k)], targets[compound & (fold != k)])
        residuals[rows] = targets[rows] - matrix[rows] @ terms
    return residuals


def _fit_spread(compositions: CompositionArray, residuals: Floats) -> Floats:
    """Fit the logarithm of the size of residuals by ridge regression, its constant free."""
    matrix = spread_matrix(compositions)
    logarithm = np.log(np.maximum(np.abs(residuals), FLOOR))
    penalty: Floats = SPREAD_RIDGE * np.eye(matrix.shape[1])
    penalty[0, 0] = 0.0
    spread = np.linalg.solve(matrix.T @ matrix + penalty, matrix.T @ logarithm)
    return np.asarray(spread, dtype=np.float64)


def _quantiles(ratios: Floats, classes: NDArray[np.int64]) -> Floats:
    """Conformal ends of the intervals for each class, shape ``(classes, 2)``."""
    everything = _ends(ratios)
    return np.array(
        [
            _ends(ratios[classes == k]) if (classes == k).sum() >= MIN_CLASS else everything
            for k in range(len(CLASSES))
        ]
    )


def _ends(ratios: Floats) -> tuple[float, float]:
    """Lower and upper quantile at the conformal ranks for finite samples."""
    ordered = np.sort(ratios)
    n = len(ordered)
    rank = max(int(np.floor((1 - COVERAGE) / 2 * (n + 1))) - 1, 0)
    return float(ordered[rank]), float(ordered[n - 1 - rank])
