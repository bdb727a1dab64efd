"""Compositions as the 85 x 8 matrices of MatGAN, and back.

Dan et al. 2020, doi:10.1038/s41524-020-00352-0: one row per element, one column per amount; the
cell (element, j) is 1 when the element occurs j + 1 times. The code of the authors reads a cell as
"on" from 0.2 upwards and, where several cells of one row are on, lets the largest amount win; it
keeps 2 to 8 elements and reduces the formula.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from screening.composition import CompositionArray
from screening.elements import MAX_Z, symbols

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAX_COUNT = 8
"""Largest amount of one element."""

MIN_ELEMENTS, MAX_ELEMENTS = 2, 8
"""Smallest and largest number of elements."""

THRESHOLD = 0.2
"""A cell is on from this value upwards (the authors' "tolerate = 0.8")."""

_LEFT_OUT = "He Ne Ar Kr Po At Rn Fr Ra Am Cm Bk Cf Es Fm Md No Lr"


@cache
def element_numbers() -> NDArray[np.uint8]:
    """Atomic numbers of the 85 rows, ascending, shape ``(85,)``; read-only."""
    numbers = [z for z, symbol in enumerate(symbols()) if z and symbol not in _LEFT_OUT.split()]
    array = np.array(numbers, dtype=np.uint8)
    array.setflags(write=False)
    return array


@cache
def _rows() -> NDArray[np.int64]:
    """Row of each atomic number, -1 for elements that are left out, shape ``(MAX_Z + 1,)``."""
    rows = np.full(MAX_Z + 1, -1, dtype=np.int64)
    rows[element_numbers()] = np.arange(len(element_numbers()))
    return rows


def encodable(compositions: CompositionArray) -> NDArray[np.bool_]:
    """Which compositions the representation can hold, shape ``(n,)``."""
    known = ((_rows()[compositions.numbers] >= 0) | (compositions.numbers == 0)).all(axis=1)
    n_elements = compositions.n_elements()
    mask: NDArray[np.bool_] = (
        known
        & (compositions.counts <= MAX_COUNT).all(axis=1)
        & (n_elements >= MIN_ELEMENTS)
        & (n_elements <= MAX_ELEMENTS)
    )
    return mask


def encode(compositions: CompositionArray) -> NDArray[np.uint8]:
    """Write compositions as amounts per element, shape ``(n, 85)``, 0 to 8.

    The binary matrix of the paper is ``amounts[:, :, None] == numpy.arange(1, 9)``: see `one_hot`.

    Parameters
    ----------
    compositions
        Rows for which `encodable` is true.
    """
    amounts = np.zeros((len(compositions), len(element_numbers())), dtype=np.uint8)
    row, column = np.nonzero(compositions.numbers)
    amounts[row, _rows()[compositions.numbers[row, column]]] = compositions.counts[row, column]
    return amounts


def one_hot(amounts: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Make the binary matrices, shape ``(n, 85, 8)``."""
    cells: NDArray[np.uint8] = (amounts[:, :, None] == np.arange(1, MAX_COUNT + 1)).astype(np.uint8)
    return cells


def amounts_by_threshold(values: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Decode as the authors do: the largest amount whose cell is at least `THRESHOLD`.

    Parameters
    ----------
    values
        Cells between 0 and 1, shape ``(n, 85, 8)``.

    Returns
    -------
    Amounts, shape ``(n, 85)``, 0 where no cell is on.
    """
    weights = np.arange(1, MAX_COUNT + 1, dtype=np.uint8)
    amounts: NDArray[np.uint8] = ((values >= THRESHOLD) * weights).max(axis=2)
    return amounts


def amounts_by_argmax(values: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Decode without the bias to large amounts: the highest cell, if it is at least one half.

    Parameters
    ----------
    values
        Cells between 0 and 1, shape ``(n, 85, 8)``.

    Returns
    -------
    Amounts, shape ``(n, 85)``, 0 where all cells are below one half.
    """
    best = values.argmax(axis=2).astype(np.uint8) + np.uint8(1)
    amounts: NDArray[np.uint8] = best * (values.max(axis=2) >= 0.5)
    return amounts


def decode(amounts: NDArray[np.uint8]) -> tuple[CompositionArray, NDArray[np.intp]]:
    """Turn amounts, shape ``(n, 85)``, into reduced compositions of 2 to 8 elements.

    Returns
    -------
    The compositions that are left, duplicates included, and the row that each comes from.
    """
    n_elements = (amounts > 0).sum(axis=1)
    kept = np.flatnonzero((n_elements >= MIN_ELEMENTS) & (n_elements <= MAX_ELEMENTS))
    row, column = np.nonzero(amounts[kept])
    ends = np.cumsum(n_elements[kept])
    place = np.arange(len(row)) - np.repeat(ends - n_elements[kept], n_elements[kept])
    width = int(n_elements[kept].max(initial=1))
    numbers = np.zeros((len(kept), width), dtype=np.uint8)
    counts = np.zeros((len(kept), width), dtype=np.uint16)
    numbers[row, place] = element_numbers()[column]
    counts[row, place] = amounts[kept][row, column]
    return CompositionArray(numbers, counts).reduced(), kept
