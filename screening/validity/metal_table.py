"""Element properties behind the metallicity score."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from screening.elements import column

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class MetalTable(NamedTuple):
    """What the score needs of each element, indexed by atomic number, float64, NaN if unknown."""

    metal: NDArray[np.float64]
    d_block: NDArray[np.float64]
    valence: NDArray[np.float64]
    negativity: NDArray[np.float64]


@cache
def metal_table() -> MetalTable:
    """Return the element properties of the score."""
    names = ("is_metal", "is_d_block", "valence_electrons", "electronegativity")
    return MetalTable(*(column(name).copy() for name in names))
