"""Descriptors that say which element does what: one slot for each element, and whole numbers.

The statistics of `composition_features` forget which element is the anion, and that three atoms to
one is not nearly the same as 2.9 to one. Here the elements are ordered by electronegativity, the
most electronegative first, and the counts of the reduced formula are given as numbers and as
indicators; structures and their energies depend on both.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from screening.elements import MAX_Z
from screening.features.table import imputed

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from screening.composition import CompositionArray

N_SLOTS = 5
"""Elements that have a slot; formulas with more lose the least electronegative ones."""

PROPERTIES = (
    "electronegativity",
    "covalent_radius",
    "ionic_radius",
    "atomic_radius",
    "group",
    "period",
    "pettifor_number",
    "valence_electrons",
)
_SLOT_COUNTS = 8
_SORTED_COUNTS = 12
_TOTALS = 30


def role_names() -> list[str]:
    """Name the descriptors in the order of the columns of `role_features`."""
    slots = range(N_SLOTS)
    return [
        *(f"{name} of slot {k}" for k in slots for name in PROPERTIES),
        *(f"fraction of slot {k}" for k in slots),
        *(f"ln(1 + count) of slot {k}" for k in slots),
        *(f"count of slot {k} is {n}" for n in range(1, _SLOT_COUNTS + 1) for k in slots),
        *(f"ln(1 + count) in place {k}" for k in slots),
        *(f"count in place {k} is {n}" for n in range(_SORTED_COUNTS + 1) for k in slots),
        "ln(atoms)",
        *(f"atoms are {n}" for n in range(1, _TOTALS + 1)),
    ]


@cache
def _table() -> NDArray[np.float64]:
    """Properties by atomic number, standardised over the elements, 0 for no element, (104, 8)."""
    raw = np.stack([imputed(name) for name in PROPERTIES], axis=1)
    table: NDArray[np.float64] = (raw - raw[1:].mean(axis=0)) / raw[1:].std(axis=0)
    table[0] = 0
    return table


@cache
def _order() -> NDArray[np.int64]:
    """Rank of each element by electronegativity, the highest first; no element comes last."""
    negativity = imputed("electronegativity")[1:]
    rank = np.full(MAX_Z + 1, MAX_Z, dtype=np.int64)
    rank[1:][np.lexsort((np.arange(MAX_Z), -negativity))] = np.arange(MAX_Z)
    return rank


def role_features(compositions: CompositionArray) -> NDArray[np.float32]:
    """Compute the descriptors by role of each composition, reduced first.

    Parameters
    ----------
    compositions
        ``n`` compositions.

    Returns
    -------
    Shape ``(n, 191)``, columns as in `role_names`.
    """
    reduced = compositions.reduced()
    width = max(0, N_SLOTS - reduced.numbers.shape[1])
    numbers = np.pad(reduced.numbers, ((0, 0), (0, width))).astype(np.intp)
    counts = np.pad(reduced.counts, ((0, 0), (0, width))).astype(np.float32)
    total = counts.sum(axis=1, keepdims=True)
    order = np.argsort(_order()[numbers], axis=1, kind="stable")[:, :N_SLOTS]
    slot = np.take_along_axis(counts, order, axis=1)
    place = -np.sort(-counts, axis=1)[:, :N_SLOTS]
    blocks = [
        _table()[np.take_along_axis(numbers, order, axis=1)].reshape(len(numbers), -1),
        slot / np.maximum(total, 1),
        np.log1p(slot),
        *(slot == n for n in range(1, _SLOT_COUNTS + 1)),
        np.log1p(place),
        *(place == n for n in range(_SORTED_COUNTS + 1)),
        np.log(np.maximum(total, 1)),
        *(total == n for n in range(1, _TOTALS + 1)),
    ]
    return np.concatenate([block.astype(np.float32) for block in blocks], axis=1)
