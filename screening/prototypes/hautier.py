"""Substitution probabilities of Hautier et al. 2011 (doi:10.1021/ic102031h), by element.

pymatgen carries the weights of pairs of ions. No oxidation states are known of a candidate, so a
pair of elements has the largest weight of its ions.
"""

from __future__ import annotations

import inspect
import json
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from screening.elements import MAX_Z, atomic_number

if TYPE_CHECKING:
    from numpy.typing import NDArray

UNSEEN = -5.0
"""Weight of pairs that were never seen, as in the paper."""
_SIGN = re.compile(r"[^A-Za-z]")
"""What follows the symbol of an element in an ion's name, such as ``Fe3+``."""


@cache
def log_substitution() -> NDArray[np.float64]:
    """Weights lambda of pairs of elements, shape ``(MAX_Z + 1, MAX_Z + 1)``, symmetric.

    An element in place of itself counts as its likeliest pair of equal ions, at least 0.
    """
    from pymatgen.analysis.structure_prediction.substitution_probability import (
        SubstitutionProbability,
    )

    # the class itself takes two seconds: it hashes all pairs of its ions
    table = Path(inspect.getfile(SubstitutionProbability)).parent / "data" / "lambda.json"
    weights = np.full((MAX_Z + 1, MAX_Z + 1), UNSEEN)
    for first, second, weight in json.loads(table.read_text(encoding="utf-8")):
        pair = [_SIGN.split(ion)[0] for ion in (first, second)]
        if "D" in pair:  # deuterium
            continue
        a, b = map(atomic_number, pair)
        weights[a, b] = weights[b, a] = max(weights[a, b], weight)
    np.fill_diagonal(weights, np.maximum(np.diag(weights), 0.0))
    return weights
