"""Whether a neutral ionic compound is possible, and how ionic its bonds are."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from screening.elements import MAX_Z, common_oxidation_states
from screening.features.table import imputed

if TYPE_CHECKING:
    from numpy.typing import NDArray


@cache
def _states() -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pad the common oxidation states with the first, ``(104, s)``, and count them, ``(104,)``."""
    states = common_oxidation_states()
    table = np.zeros((MAX_Z + 1, max(len(row) for row in states)), dtype=np.int64)
    for z, row in enumerate(states):
        table[z] = (*row, *row[:1] * (table.shape[1] - len(row))) if row else 0
    return table, np.array([len(row) for row in states])


def compound_possible(numbers: NDArray[np.intp], counts: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Tell whether one common oxidation state per element can make the composition neutral.

    Elements alone are possible. The search keeps, for each composition, the distinct charges that
    the elements so far can have and that the others can still balance.

    Parameters
    ----------
    numbers
        Atomic numbers, shape ``(n, m)``, without padding.
    counts
        Atoms per formula unit, shape ``(n, m)``.
    """
    n, m = numbers.shape
    if m == 1:
        return np.ones(n, dtype=np.bool_)
    table, n_states = _states()
    amounts = counts.astype(np.int64)
    least = np.cumsum((table.min(axis=1)[numbers] * amounts)[:, ::-1], axis=1)[:, ::-1]
    most = np.cumsum((table.max(axis=1)[numbers] * amounts)[:, ::-1], axis=1)[:, ::-1]
    rows = np.arange(n)
    charges = np.zeros(n, dtype=np.int64)
    for j in range(m):
        repeats = n_states[numbers[rows, j]]
        parents = np.repeat(np.arange(len(rows)), repeats)
        choice = np.arange(len(parents)) - np.repeat(np.cumsum(repeats) - repeats, repeats)
        rows = rows[parents]
        charges = charges[parents] + table[numbers[rows, j], choice] * amounts[rows, j]
        if j + 1 < m:
            keep = (charges + least[rows, j + 1] <= 0) & (charges + most[rows, j + 1] >= 0)
            rows, charges = rows[keep], charges[keep]
            if len(rows) > 8 * n:
                rows, charges = _distinct(rows, charges)
    possible = np.zeros(n, dtype=np.bool_)
    possible[rows[charges == 0]] = True
    return possible


def _distinct(
    rows: NDArray[np.intp], charges: NDArray[np.int64]
) -> tuple[NDArray[np.intp], NDArray[np.int64]]:
    """Drop repeated charges of a row, so that the work stays polynomial."""
    lowest, span = charges.min(), charges.max() - charges.min() + 1
    row, charge = np.divmod(np.unique(rows * span + (charges - lowest)), span)
    return row, charge + lowest


def ionic_character(
    numbers: NDArray[np.intp], fractions: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Largest and mean ionic character ``1 - exp(-dX^2 / 4)`` over pairs of elements.

    The mean weighs each pair with the product of its atomic fractions (and is not divided by the
    sum of the weights, as in matminer). Both are 0 for elements. Shapes ``(n, m)`` to ``(n,)``.
    """
    negativity = imputed("pymatgen_electronegativity")[numbers]
    largest = np.zeros(len(numbers))
    average = np.zeros(len(numbers))
    for i in range(numbers.shape[1]):
        for j in range(i):
            character = -np.expm1(-0.25 * (negativity[:, i] - negativity[:, j]) ** 2)
            np.maximum(largest, character, out=largest)
            average += fractions[:, i] * fractions[:, j] * character
    return largest, average
