"""One scale for tables of formation energies that follow different corrections."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from screening.composition import CompositionArray
from screening.energy_scale.fit import fit_terms
from screening.energy_scale.terms import term_matrix
from screening.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

MIN_SHARED = 100
"""Fewest compositions that two tables must share."""
PRIOR = 0.5
"""Standard deviation of a term before there are data (eV/atom): corrections are that large."""
AGREEMENT = 0.05
"""A mapped energy lower than the target's by more than this (eV/atom) is of another crystal."""


@dataclass(frozen=True)
class ScaleMap:
    """A linear map of formation energies between two sets of corrections.

    Attributes
    ----------
    terms
        Added to an energy: coefficients of `term_matrix` (eV/atom).
    covariance
        Of the terms.
    """

    terms: NDArray[np.float64]
    covariance: NDArray[np.float64]

    def shift(self, compositions: CompositionArray) -> NDArray[np.float64]:
        """Give what is added to the energies (eV/atom), ``(n,)``: nothing for elements."""
        shift = term_matrix(compositions) @ self.terms
        return np.where(compositions.n_elements() > 1, shift, 0.0)


def fit_map(source: Mapping[str, float], target: Mapping[str, float]) -> ScaleMap:
    """Fit the map between the scales of two tables to the compounds that both list.

    Their lowest crystals need not be the same; outliers hardly count.

    Parameters
    ----------
    source, target
        Lowest formation energy (eV/atom) of each canonical formula.

    Raises
    ------
    InputError
        If the tables share fewer than 100 compounds.
    """
    shared = [name for name in source if name in target]
    compositions = CompositionArray.from_formulas(shared)
    compounds = compositions.n_elements() > 1
    if compounds.sum() < MIN_SHARED:
        raise InputError(
            f"the tables share {int(compounds.sum())} compounds: at least {MIN_SHARED} are needed "
            "to map one set of corrections to the other"
        )
    differences = np.array([target[name] - source[name] for name in shared])
    terms, covariance = fit_terms(
        term_matrix(compositions)[compounds], differences[compounds], prior=PRIOR
    )
    return ScaleMap(terms, covariance)


def merge(target: Mapping[str, float], mapped: Mapping[str, float]) -> dict[str, tuple[float, int]]:
    """Take the target's energy where there is one, else the mapped one.

    Where the target lists a composition but the mapped energy is clearly lower, the target lacks
    the ground state (it holds small cells only), and the mapped energy counts.

    Returns
    -------
    dict
        Energy (eV/atom) by formula, and its source: 0 the target, 1 the mapped table. Elements are
        at 0.
    """
    result: dict[str, tuple[float, int]] = {}
    for name in sorted(target.keys() | mapped.keys()):
        first, other = target.get(name), mapped.get(name)
        if first is None or (other is not None and other < first - AGREEMENT):
            assert other is not None
            result[name] = (other, 1)
        else:
            result[name] = (first, 0)
    return result
