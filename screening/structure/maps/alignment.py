"""Equal atoms may be exchanged: the permutation that brings one matrix nearest to another.

A quadratic assignment within each element, by exchanges from several starts. For the small cells
here this nearly always finds the best permutation; a worse one only makes scores worse.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from screening.compiled import compiled

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@compiled
def _cost(fixed: Floats, moving: Floats, order: Integers) -> float:
    total = 0.0
    for i in range(len(order)):
        for j in range(i):
            step = fixed[i, j] - moving[order[i], order[j]]
            total += step * step
    return total


@compiled
def _gain(fixed: Floats, moving: Floats, order: Integers, a: int, b: int) -> float:
    """How much an exchange of two places adds to the cost."""
    gain = 0.0
    p, q = order[a], order[b]
    for k in range(len(order)):
        if k not in (a, b):
            x, y = moving[p, order[k]], moving[q, order[k]]
            u, v = fixed[a, k], fixed[b, k]
            gain += (u - y) ** 2 + (v - x) ** 2 - (u - x) ** 2 - (v - y) ** 2
    return gain


@compiled
def descend(fixed: Floats, moving: Floats, kinds: Integers, order: Integers) -> None:
    """Exchange pairs of equal atoms in `order`, ``(n,)``, as long as that helps; see `align`."""
    n = len(order)
    improved = True
    while improved:
        improved = False
        for a in range(n):
            for b in range(a + 1, n):
                if kinds[a] == kinds[b] and _gain(fixed, moving, order, a, b) < -1e-9:
                    order[a], order[b] = order[b], order[a]
                    improved = True


@compiled
def _start(fixed: Floats, moving: Floats, kinds: Integers, order: Integers, state: int) -> int:
    """Fill `order`: places in a random sequence, each with the atom that fits those before it."""
    n = len(order)
    places = np.arange(n)
    for a in range(n - 1, 0, -1):
        state = (1103515245 * state + 12345) % 2147483648
        b = (state // 65536) % (a + 1)
        places[a], places[b] = places[b], places[a]
    taken = np.zeros(n, dtype=np.bool_)
    for done in range(n):
        place = places[done]
        best, least = -1, np.inf
        for shift in range(n):
            atom = (shift + state // 65536) % n
            if taken[atom] or kinds[atom] != kinds[place]:
                continue
            cost = 0.0
            for other in places[:done]:
                cost += (fixed[place, other] - moving[atom, order[other]]) ** 2
            if cost < least:
                best, least = atom, cost
        order[place] = best
        taken[best] = True
    return state


@compiled
def align(fixed: Floats, moving: Floats, kinds: Integers, starts: int) -> Integers:
    """Find the order of the atoms of `moving` that brings it nearest to `fixed`.

    Parameters
    ----------
    fixed, moving
        Symmetric matrices, shape ``(n, n)``.
    kinds
        Element of each row, the same for both matrices, shape ``(n,)``.
    starts
        Further starts beside the given order.

    Returns
    -------
    ``moving[order][:, order]`` is nearest to `fixed`; shape ``(n,)``.
    """
    best = np.arange(len(kinds))
    descend(fixed, moving, kinds, best)
    least = _cost(fixed, moving, best)
    state = 12345
    order = best.copy()
    for _ in range(starts):
        if least < 1e-9:
            break
        state = _start(fixed, moving, kinds, order, state)
        descend(fixed, moving, kinds, order)
        cost = _cost(fixed, moving, order)
        if cost < least:
            least = cost
            best = order.copy()
    return best
