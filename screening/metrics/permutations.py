"""Which atom of a prediction is which of the reference: atoms of one element are alike.

The order of equal atoms in a file means nothing, but maps and matrices have rows in that order.
`align` finds the order in which two distance matrices agree best: a quadratic assignment problem,
solved exactly where there are few orders and by exchanges from several starts elsewhere.
"""

from __future__ import annotations

from itertools import permutations, product
from math import factorial, prod
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import linear_sum_assignment

from screening.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

MAX_ORDERS = 5040
"""All orders are tried up to this many."""
N_STARTS = 12
CHUNK = 2_000_000
"""Numbers held at once when many orders are tried."""


def align(
    reference: Floats,
    predicted: Floats,
    types: Ints,
    predicted_types: Ints | None = None,
    seed: int = 0,
) -> Ints:
    """Order of the predicted atoms in which the distance matrices differ least.

    Parameters
    ----------
    reference, predicted
        Symmetric matrices with zeros on the diagonal, shape ``(n, n)``.
    types
        Element of each atom of the reference, shape ``(n,)``.
    predicted_types
        The same of the prediction; the same as `types` if left out.
    seed
        Seed of the random starts.

    Returns
    -------
    Indices into the predicted atoms, shape ``(n,)``: `predicted[order][:, order]` is aligned. Of
    least squares for up to `MAX_ORDERS` orders, else an order that no exchange of two atoms
    improves.

    Raises
    ------
    InputError
        If the elements of both differ.
    """
    types = np.asarray(types)
    others = types if predicted_types is None else np.asarray(predicted_types)
    if not np.array_equal(np.sort(types), np.sort(others)):
        raise InputError("atoms cannot be aligned: the two cells hold different elements")
    groups = [(np.flatnonzero(types == t), np.flatnonzero(others == t)) for t in np.unique(types)]
    if prod(factorial(len(rows)) for rows, _ in groups) <= MAX_ORDERS:
        return _best(reference, predicted, np.array(list(_orders(groups, len(types)))))[0]
    return _search(reference, predicted, groups, np.random.default_rng(seed))


def _orders(groups: list[tuple[Ints, Ints]], n: int) -> Iterator[Ints]:
    for chosen in product(*(permutations(columns) for _, columns in groups)):
        order = np.empty(n, dtype=np.int64)
        for (rows, _), columns in zip(groups, chosen, strict=True):
            order[rows] = columns
        yield order


def _best(reference: Floats, predicted: Floats, orders: Ints) -> tuple[Ints, float]:
    """Return the best of many orders, shape ``(k, n)``, and its sum of squares."""
    step = max(1, CHUNK // max(reference.size, 1))
    costs = np.concatenate(
        [
            ((predicted[part[:, :, None], part[:, None, :]] - reference) ** 2).sum(axis=(1, 2))
            for part in (orders[i : i + step] for i in range(0, len(orders), step))
        ]
    )
    return orders[costs.argmin()], float(costs.min())


def _search(
    reference: Floats, predicted: Floats, groups: list[tuple[Ints, Ints]], rng: np.random.Generator
) -> Ints:
    """Exchange atoms of one element as long as that helps, from several starts; keep the best."""
    alike = np.zeros(reference.shape, dtype=bool)
    for rows, _ in groups:
        alike[np.ix_(rows, rows)] = True
    start = _by_profile(reference, predicted, groups)
    best, lowest = start, np.inf
    for _ in range(N_STARTS):
        order = _descend(reference, predicted, start, alike)
        cost = float(((predicted[order][:, order] - reference) ** 2).sum())
        if cost < lowest:
            best, lowest = order, cost
        start = best.copy()
        for rows, _ in groups:
            start[rows] = rng.permutation(start[rows])
    return best


def _descend(reference: Floats, predicted: Floats, start: Ints, alike: NDArray[np.bool_]) -> Ints:
    """Make the best exchange of two atoms until none lowers the sum of squares.

    An exchange of i and j changes the sum by 4 times the sum over the other atoms k of
    ``(P[i, k] - P[j, k]) (R[i, k] - R[j, k])``: one product of matrices gives all.
    """
    order = start.copy()
    scale = max(float((reference**2).sum()), 1.0)
    while True:
        moved = predicted[order][:, order]
        products = moved @ reference
        own = products.diagonal()
        gains = own[:, None] + own - products - products.T - 2 * moved * reference
        gains[~alike] = np.inf
        i, j = np.unravel_index(gains.argmin(), gains.shape)
        if gains[i, j] >= -1e-12 * scale:
            return order
        order[i], order[j] = order[j], order[i]


def _by_profile(reference: Floats, predicted: Floats, groups: list[tuple[Ints, Ints]]) -> Ints:
    """Match atoms whose sorted distances to each element agree best."""
    profiles = [
        np.concatenate([np.sort(matrix[:, group[side]], axis=1) for group in groups], axis=1)
        for side, matrix in enumerate((reference, predicted))
    ]
    order = np.empty(len(reference), dtype=np.int64)
    for rows, columns in groups:
        costs = ((profiles[0][rows][:, None] - profiles[1][columns][None]) ** 2).sum(axis=-1)
        first, second = linear_sum_assignment(costs)
        order[rows[first]] = columns[second]
    return order
