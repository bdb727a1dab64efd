"""Elemental properties without gaps."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from screening.elements import column

if TYPE_CHECKING:
    from numpy.typing import NDArray


@cache
def imputed(name: str) -> NDArray[np.float64]:
    """Read a column of the element table with the mean in place of missing values.

    Returns
    -------
    Indexed by atomic number, shape ``(104,)``, shared and read-only; index 0 holds the mean.
    """
    values = column(name)
    filled = np.where(np.isnan(values), np.nanmean(values), values)
    filled.setflags(write=False)
    return filled
