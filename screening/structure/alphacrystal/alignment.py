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
Pairs = tuple[Floats, Floats, Floats, Floats, float]

MAX_STARTS = 4
CLOSE = 1e-6
"""Square (of Angstrom, or of contacts) at which `arrange` is content."""


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
def _step(fixed: Floats, moving: Floats, order: Integers, place: int, atom: int) -> float:
    """Cost of an atom at a place beside those at the places before it."""
    cost = 0.0
    for other in range(place):
        cost += (fixed[place, other] - moving[atom, order[other]]) ** 2
    return cost


@compiled
def _follow(pairs: Pairs, kinds: Integers, first: int, order: Integers) -> None:
    """Fill `order` place by place, each with the atom that fits best, beginning with `first`."""
    fixed, moving, other_fixed, other_moving, weight = pairs
    n = len(order)
    taken = np.zeros(n, dtype=np.bool_)
    order[0] = first
    taken[first] = True
    for place in range(1, n):
        best, least = -1, np.inf
        for atom in range(n):
            if taken[atom] or kinds[atom] != kinds[place]:
                continue
            cost = _step(fixed, moving, order, place, atom)
            if weight > 0:
                cost += weight * _step(other_fixed, other_moving, order, place, atom)
            if cost < least:
                best, least = atom, cost
        order[place] = best
        taken[best] = True


@compiled
def _refine(pairs: Pairs, kinds: Integers, order: Integers) -> float:
    """Exchange pairs of equal atoms as long as that helps; gives the cost."""
    fixed, moving, other_fixed, other_moving, weight = pairs
    n = len(order)
    improved = True
    while improved:
        improved = False
        for a in range(n):
            for b in range(a + 1, n):
                if kinds[a] != kinds[b]:
                    continue
                gain = _gain(fixed, moving, order, a, b)
                if weight > 0:
                    gain += weight * _gain(other_fixed, other_moving, order, a, b)
                if gain < -1e-9:
                    order[a], order[b] = order[b], order[a]
                    improved = True
    cost = _cost(fixed, moving, order)
    return cost + weight * _cost(other_fixed, other_moving, order) if weight > 0 else cost


@compiled
def arrange(pairs: Pairs, kinds: Integers) -> Integers:
    """Find the order that brings two matrices near to two others: quick, for searches.

    One start from the given order and, with each of the first few atoms of the rarest element in
    the first place, one that follows from there. Symmetry makes equal atoms of all elements change
    places together, which single exchanges do not find.

    Parameters
    ----------
    pairs
        Two pairs of matrices, ``(n, n)``, fixed and moving, and the weight of the second pair.
    kinds
        Element of each row, ascending, shape ``(n,)``.

    Returns
    -------
    As `align`.
    """
    best = np.arange(len(kinds))
    least = _refine(pairs, kinds, best)
    order = best.copy()
    for first in range(min(len(kinds), MAX_STARTS)):
        if least < CLOSE or kinds[first] != kinds[0]:
            break
        _follow(pairs, kinds, first, order)
        cost = _refine(pairs, kinds, order)
        if cost < least:
            least = cost
            best[:] = order
    return best


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


@compiled
def arrange_all(fixed: Floats, moving: Floats, numbers: Integers) -> Integers:
    """Find the order of the atoms of each of ``b`` crystals; see `arrange`.

    Parameters
    ----------
    fixed, moving
        Symmetric matrices, shape ``(b, n, n)``.
    numbers
        Atomic numbers, 0 for padding, those of an element side by side, shape ``(b, n)``.

    Returns
    -------
    ``moving[i][order[i]][:, order[i]]`` is near to ``fixed[i]``; shape ``(b, n)``.
    """
    orders = np.empty_like(numbers)
    for i in range(len(numbers)):
        n = (numbers[i] > 0).sum()
        orders[i] = np.arange(len(numbers[i]))
        near, far = fixed[i, :n, :n].copy(), moving[i, :n, :n].copy()
        orders[i, :n] = arrange((near, far, near, far, 0.0), numbers[i, :n])
    return orders
