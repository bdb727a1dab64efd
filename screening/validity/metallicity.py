"""How metallic a composition is, as `smact.metallicity.metallicity_score` of SMACT 4.0.2."""

from __future__ import annotations

from typing import TYPE_CHECKING

from screening.validity.metal_table import metal_table

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from screening.composition import CompositionArray


def metallicity_scores(compositions: CompositionArray) -> NDArray[np.float64]:
    """Score each composition from 0 (insulating) to 1 (metallic).

    The weighted sum of the fraction of metals (0.3), the number of metals up to three (0.2), the
    fraction of d-block elements (0.2), how near to 8 the number of valence electrons per atom is
    (0.15), and how alike the electronegativities are (0.15); the last two are one half where an
    element has no value.

    Returns
    -------
    Scores, shape ``(n,)``; 0 for an empty row.
    """
    from screening.validity.kernel import score_all

    return score_all(compositions.numbers, compositions.counts, metal_table())
