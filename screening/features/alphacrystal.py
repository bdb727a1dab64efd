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

_FILLED: dict[str, dict[int, float]] = {
    "heat_of_formation": {
        2: 188, 10: 90, 18: 105, 36: 100, 54: 90, 61: 266, 84: 220, 85: 230, 86: 240, 87: 250,
        100: 120, 101: 120, 102: 120, 103: 120,
    },
    "covalent_radius": {97: 150, 98: 140, 99: 130, 100: 120, 101: 110, 102: 100, 103: 90},
    "dipole_polarizability": {22: 100, 67: 156},
    "pymatgen_electronegativity": {2: 1, 10: 1, 18: 3},
}  # fmt: skip
"""What the papers' file has by hand, by atomic number; radii in pm."""


@cache
def element_features(*, legacy: bool = False) -> Floats:
    """Give the features of all elements, shape ``(104, 11)``; row 0 is 0 and read-only.

    Parameters
    ----------
    legacy
        As the papers have them: raw values, radii in pm, f elements in rows 8 and 9 and in groups
        3 to 17, gaps filled by hand or 0. Otherwise IUPAC's groups and periods, standardised over
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
    for name, filled in _FILLED.items():
        values[list(filled), FEATURES.index(name)] = list(filled.values())
    known: Floats = np.nan_to_num(values, nan=0.0)
    return known


def _standardised(values: Floats) -> Floats:
    mean, spread = np.nanmean(values, axis=0), np.nanstd(values, axis=0)
    standardised: Floats = np.nan_to_num((values - mean) / spread, nan=0.0)
    return standardised
