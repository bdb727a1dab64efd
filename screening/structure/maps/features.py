"""The 11 features of an element that AlphaCrystal and AlphaCrystal-II give their networks."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from screening.elements import MAX_Z, column

Floats = NDArray[np.float64]

FEATURES = (
    "pettifor_number",
    "unpaired_electrons",
    "covalent_radius",
    "heat_of_formation",
    "dipole_polarizability",
    "ionization_energy",
    "ionic_radius",
    "group",
    "pymatgen_electronegativity",
    "period",
    "number",
)
"""Columns of the element table, in the order of the papers' file."""


@cache
def element_features(*, legacy: bool = False) -> Floats:
    """Give the features of all elements, shape ``(104, 11)``; row 0 is 0 and read-only.

    Parameters
    ----------
    legacy
        As the papers have them: raw values, radii in pm, f elements in rows 8 and 9 and in groups
        4 to 17, unknown values 0 (the papers fill 14 heats of formation by hand) and Pauling
        electronegativity 1 for noble gases. Otherwise IUPAC's groups and periods, standardised over
        the elements, unknown values at the mean.
    """
    values = np.stack([column(name) for name in FEATURES], axis=1)
    values = _legacy(values) if legacy else _standardised(values)
    values[0] = 0
    values.setflags(write=False)
    return values


def _legacy(values: Floats) -> Floats:
    values = values.copy()
    numbers = np.arange(MAX_Z + 1)
    values[:, FEATURES.index("covalent_radius")] *= 100
    for first, row in ((57, 8), (89, 9)):
        part = (numbers >= first) & (numbers < first + 15)
        values[part, FEATURES.index("period")] = row
        values[part, FEATURES.index("group")] = 3 + np.arange(15)
    negativity = FEATURES.index("pymatgen_electronegativity")
    values[:, negativity] = np.nan_to_num(values[:, negativity], nan=1.0)
    known: Floats = np.nan_to_num(values, nan=0.0)
    return known


def _standardised(values: Floats) -> Floats:
    mean, spread = np.nanmean(values, axis=0), np.nanstd(values, axis=0)
    standardised: Floats = np.nan_to_num((values - mean) / spread, nan=0.0)
    return standardised
