"""The 228 composition descriptors of CRYSPNet, for many compositions at once.

Statistics of 22 elemental properties (Ward et al. 2016, doi:10.1038/npjcompumats.2016.28),
stoichiometry norms, valence-electron fractions, ionic character, the band centre of Butler and
Ginley (1978, doi:10.1149/1.2131419), element fractions and the number of components, as chosen by
Liang et al. for CRYSPNet (2020, doi:10.1103/PhysRevMaterials.4.123802). The values equal those of
matminer's featurizers with their default imputation: an element without a value takes the mean over
the elements that have one.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from screening.elements import MAX_Z, symbols
from screening.errors import InputError
from screening.features.ionic import compound_possible, ionic_character
from screening.features.table import imputed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import DTypeLike, NDArray

    from screening.composition import CompositionArray

MAGPIE_PROPERTIES = (
    "Number",
    "MendeleevNumber",
    "AtomicWeight",
    "MeltingT",
    "Column",
    "Row",
    "CovalentRadius",
    "Electronegativity",
    "NsValence",
    "NpValence",
    "NdValence",
    "NfValence",
    "NValence",
    "NsUnfilled",
    "NpUnfilled",
    "NdUnfilled",
    "NfUnfilled",
    "NUnfilled",
    "GSvolume_pa",
    "GSbandgap",
    "GSmagmom",
    "SpaceGroupNumber",
)
"""The elemental properties, in the order of the columns."""

STATISTICS = ("minimum", "maximum", "range", "mean", "avg_dev")
NORMS = (0, 2, 3, 5, 7, 10)
ORBITALS = "spdf"
EV_IN_KJ_PER_MOL = 96.48
"""The rounded conversion that matminer uses for the band centre."""

_CHUNK = 2048
_N_STATISTICS = len(MAGPIE_PROPERTIES) * len(STATISTICS)
_NORM0 = _N_STATISTICS
_VALENCE0 = _NORM0 + len(NORMS)
_IONIC0 = _VALENCE0 + len(ORBITALS)
_BAND = _IONIC0 + 3
_ELEMENT0 = _BAND + 1
N_FEATURES = _ELEMENT0 + MAX_Z + 1
"""Number of descriptors, 228."""


def feature_names() -> list[str]:
    """Name the 228 descriptors in the order of the columns, as matminer labels them."""
    return [
        *(f"MagpieData {stat} {name}" for name in MAGPIE_PROPERTIES for stat in STATISTICS),
        *(f"{p}-norm" for p in NORMS),
        *(f"frac {orbital} valence electrons" for orbital in ORBITALS),
        "compound possible",
        "max ionic char",
        "avg ionic char",
        "band center",
        *symbols()[1:],
        "NComp",
    ]


@cache
def _properties() -> NDArray[np.float64]:
    """Elemental properties by atomic number, shape ``(104, 22)``."""
    return np.stack([imputed(f"magpie_{name}") for name in MAGPIE_PROPERTIES], axis=1)


@cache
def _log_mulliken() -> NDArray[np.float64]:
    """Logarithm of half the sum of ionization energy and electron affinity (eV), ``(104,)``."""
    total = imputed("deml_first_ionization") + imputed("magpie_ElectronAffinity")
    return np.log(0.5 * total / EV_IN_KJ_PER_MOL)


def composition_features(
    compositions: CompositionArray, *, dtype: DTypeLike = np.float32
) -> NDArray[np.floating]:
    """Compute the 228 descriptors of each composition.

    Parameters
    ----------
    compositions
        ``n`` compositions; multiples of a formula give the same descriptors.
    dtype
        Type of the result; everything is computed in float64.

    Returns
    -------
    Shape ``(n, 228)``, columns as in `feature_names`.

    Raises
    ------
    InputError
        If a row has no elements.
    """
    n_elements = compositions.n_elements()
    if len(n_elements) and n_elements.min() < 1:
        row = int(np.argmin(n_elements))
        raise InputError(f"composition {row} has no elements: leave empty rows out")
    result = np.zeros((len(compositions), N_FEATURES), dtype=dtype)
    for rows, n in _groups(n_elements):
        numbers = compositions.numbers[rows, :n].astype(np.intp)
        result[rows] = _block(numbers, compositions.counts[rows, :n].astype(np.float64))
    return result


def _groups(n_elements: NDArray[np.int64]) -> Iterator[tuple[NDArray[np.intp], int]]:
    """Split the rows into chunks of one number of elements each: no padding, fits the cache."""
    for n in np.unique(n_elements):
        rows = np.flatnonzero(n_elements == n)
        for start in range(0, len(rows), _CHUNK):
            yield rows[start : start + _CHUNK], int(n)


def _block(numbers: NDArray[np.intp], counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Descriptors of compositions with equally many elements, `numbers` and `counts` ``(n, m)``."""
    n, m = numbers.shape
    fractions = counts / counts.sum(axis=1, keepdims=True)
    block = np.zeros((n, N_FEATURES))
    mean = _statistics(block, numbers, fractions)
    block[:, _NORM0] = block[:, -1] = m
    for i, p in enumerate(NORMS[1:], start=1):
        block[:, _NORM0 + i] = (fractions**p).sum(axis=1) ** (1 / p)
    valence = MAGPIE_PROPERTIES.index("NsValence")  # s, p, d, f and the total follow each other
    block[:, _VALENCE0:_IONIC0] = mean[:, valence : valence + 4] / mean[:, [valence + 4]]
    block[:, _IONIC0] = compound_possible(numbers, counts)
    block[:, _IONIC0 + 1], block[:, _IONIC0 + 2] = ionic_character(numbers, fractions)
    block[:, _BAND] = np.exp((fractions * _log_mulliken()[numbers]).sum(axis=1))
    np.put_along_axis(block, _ELEMENT0 - 1 + numbers, fractions, axis=1)
    return block


def _statistics(
    block: NDArray[np.float64], numbers: NDArray[np.intp], fractions: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Fill in the statistics of the elemental properties; returns the means, ``(n, 22)``."""
    values = [_properties()[numbers[:, j]] for j in range(numbers.shape[1])]
    weights = [fractions[:, [j]] for j in range(numbers.shape[1])]
    low, high, mean = values[0].copy(), values[0].copy(), weights[0] * values[0]
    for value, weight in zip(values[1:], weights[1:], strict=True):
        np.minimum(low, value, out=low)
        np.maximum(high, value, out=high)
        mean += weight * value
    deviation = np.zeros_like(mean)
    for value, weight in zip(values, weights, strict=True):
        deviation += weight * np.abs(value - mean)
    for i, statistic in enumerate((low, high, high - low, mean, deviation)):
        block[:, i : _N_STATISTICS : len(STATISTICS)] = statistic
    return mean
