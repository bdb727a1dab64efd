"""Numbers behind the figures of the symmetry model: confusion of lattices, map of compounds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from screening.elements import atomic_number, column
from screening.metrics.embedding import plane
from screening.symmetry.cells import BRAVAIS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from screening.composition import CompositionArray
    from screening.symmetry.model import SymmetryModel

FAMILIES = {
    "oxides": ("O",),
    "chalcogenides": ("S", "Se", "Te"),
    "halides": ("F", "Cl", "Br", "I"),
    "pnictides": ("N", "P", "As", "Sb", "Bi"),
    "hydrides": ("H",),
    "tetrelides, borides": ("B", "C", "Si", "Ge", "Sn", "Pb"),
    "intermetallics": (),
}
"""Families of compounds by their most electronegative element; the last is all the others."""

MAP_POINTS = 1500
"""Most points on a map."""


def families(compositions: CompositionArray) -> NDArray[np.int64]:
    """Find the family of each composition, as a position in `FAMILIES`, shape ``(n,)``."""
    negativity = np.nan_to_num(column("electronegativity"), nan=-1.0)
    negativity[0] = -2.0
    rows = np.arange(len(compositions))
    anion = compositions.numbers[rows, negativity[compositions.numbers].argmax(axis=1)]
    found = np.full(len(anion), len(FAMILIES) - 1)
    for k, members in enumerate(FAMILIES.values()):
        found[np.isin(anion, [atomic_number(symbol) for symbol in members])] = k
    return found


def confusion(true: NDArray[np.intp], predicted: NDArray[np.intp]) -> dict[str, Any]:
    """Count pairs of true (row) and predicted (column) Bravais classes.

    Returns
    -------
    ``classes`` (14 names) and ``counts`` (14 rows of 14).
    """
    counts = np.zeros((len(BRAVAIS), len(BRAVAIS)), dtype=np.int64)
    np.add.at(counts, (true, predicted), 1)
    return {"classes": list(BRAVAIS), "counts": counts.tolist()}


def compound_map(
    model: SymmetryModel, compositions: CompositionArray, *, seed: int = 0
) -> dict[str, Any]:
    """Lay out compounds in the plane by what the first network makes of them.

    The last hidden layer is embedded by t-SNE (van der Maaten & Hinton 2008), as CRYSPNet's
    clusters. At most `MAP_POINTS` compositions are drawn from the seed.

    Returns
    -------
    Columns ``x`` and ``y`` (-1000 to 1000), ``family`` (positions) and the names, ``families``.
    """
    if len(compositions) > MAP_POINTS:
        order = np.random.default_rng(seed).permutation(len(compositions))
        compositions = compositions[np.sort(order[:MAP_POINTS])]
    points = plane(model.hidden(compositions), seed)
    return {
        "x": points[:, 0].tolist(),
        "y": points[:, 1].tolist(),
        "family": families(compositions).tolist(),
        "families": list(FAMILIES),
    }
