"""Substitution probabilities of Hautier et al. 2011 (doi:10.1021/ic102031h), by element.

pymatgen carries the weights of pairs of ions. No oxidation states are known of a candidate, so a
pair of elements has the largest weight of its ions.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from screening.elements import MAX_Z

if TYPE_CHECKING:
    from numpy.typing import NDArray

UNSEEN = -5.0
"""Weight of pairs that were never seen, as in the paper."""


@cache
def log_substitution() -> NDArray[np.float64]:
    """Weights lambda of pairs of elements, shape ``(MAX_Z + 1, MAX_Z + 1)``, symmetric.

    An element in place of itself counts as its likeliest pair of equal ions, at least 0.
    """
    from pymatgen.analysis.structure_prediction.substitution_probability import (
        SubstitutionProbability,
    )

    model = SubstitutionProbability()
    weights = np.full((MAX_Z + 1, MAX_Z + 1), UNSEEN)
    ions = sorted(model.species, key=str)
    for first in ions:
        for second in ions:
            a, b = first.element.Z, second.element.Z
            weights[a, b] = max(weights[a, b], model.get_lambda(first, second))
    np.fill_diagonal(weights, np.maximum(np.diag(weights), 0.0))
    return weights
