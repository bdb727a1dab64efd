"""Random occupations of Wyckoff positions that give a cell its atoms, in compiled code."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from screening.compiled import compiled
from screening.crystal.space_groups import space_group
from screening.crystal.systems import FAMILIES

if TYPE_CHECKING:
    from collections.abc import Mapping

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Occupation = list[tuple[int, int]]
"""(letter as an index, atomic number) of each orbit."""

_RETRIES = 8


class Tables(NamedTuple):
    """All space groups in flat arrays, as compiled code takes them; group 1 has index 0.

    Attributes
    ----------
    systems
        Index in `FAMILIES`, shape ``(230,)``.
    primitive
        Primitive vectors in units of the conventional ones, shape ``(230, 3, 3)``.
    first_position
        First Wyckoff position of each group, then their number, shape ``(231,)``.
    multiplicities
        Atoms of each position in the primitive cell, shape ``(p,)``.
    free
        Which of x, y, z a position depends on, shape ``(p, 3)``.
    first_operation
        First operation of each position, shape ``(p,)``.
    matrices, offsets
        Atoms of a position in the primitive cell as functions of ``(x, y, z)``, in units of the
        primitive vectors, shapes ``(o, 3, 3)`` and ``(o, 3)``.
    """

    systems: Integers
    primitive: Floats
    first_position: Integers
    multiplicities: Integers
    free: NDArray[np.bool_]
    first_operation: Integers
    matrices: Floats
    offsets: Floats


@cache
def tables() -> Tables:
    """Tables of all space groups (kept after the first call)."""
    groups = [space_group(number) for number in range(1, 231)]
    positions = [
        (position, position.multiplicity // group.n_centring, group.conventional)
        for group in groups
        for position in group.positions
    ]
    counts = np.array([count for _, count, _ in positions])
    return Tables(
        systems=np.array([FAMILIES.index(group.crystal_system) for group in groups]),
        primitive=np.array([group.primitive for group in groups]),
        first_position=np.cumsum([0, *(len(group.positions) for group in groups)]),
        multiplicities=counts,
        free=np.array([position.free for position, _, _ in positions]),
        first_operation=np.cumsum(counts) - counts,
        matrices=np.concatenate([inv.T @ p.matrices[:count] for p, count, inv in positions]),
        offsets=np.concatenate([p.offsets[:count] @ inv for p, count, inv in positions]),
    )


@compiled
def _ways(
    multiplicities: Integers, free: NDArray[np.bool_], taken: NDArray[np.bool_], count: int
) -> Floats:
    """Count the ways to place r atoms on positions i, i+1, ...; shape ``(n + 1, count + 1)``.

    A position without freedom holds one orbit at most, and none if it is `taken`.
    """
    n = len(multiplicities)
    ways = np.zeros((n + 1, count + 1))
    ways[n, 0] = 1
    for i in range(n - 1, -1, -1):
        m = multiplicities[i]
        for r in range(count + 1):
            ways[i, r] = ways[i + 1, r]
            if r >= m:
                if free[i]:
                    ways[i, r] += ways[i, r - m]
                elif not taken[i]:
                    ways[i, r] += ways[i + 1, r - m]
    return ways


@compiled
def _place(
    multiplicities: Integers,
    free: NDArray[np.bool_],
    taken: NDArray[np.bool_],
    count: int,
    rng: np.random.Generator,
) -> list[int]:
    """Letters for `count` atoms of one element, every combination equally likely; else none."""
    letters = [0 for _ in range(0)]
    ways = _ways(multiplicities, free, taken, count)
    if ways[0, count] == 0:
        return letters
    i, r = 0, count
    while r:
        if rng.random() * ways[i, r] < ways[i + 1, r]:
            i += 1
            continue
        letters.append(i)
        r -= multiplicities[i]
        if not free[i]:
            i += 1
    return letters


@compiled
def occupy(
    table: Tables, group: int, counts: Integers, rng: np.random.Generator
) -> list[tuple[int, int]]:
    """Choose Wyckoff positions for all atoms of a primitive cell.

    Parameters
    ----------
    table
        `tables()`.
    group
        Index of the space group.
    counts
        Atoms of each element, shape ``(k,)``.
    rng
        Source of randomness.

    Returns
    -------
    (letter as an index, element as an index) of each orbit, sorted; empty as in
    `sample_occupation`.
    """
    first, last = table.first_position[group], table.first_position[group + 1]
    multiplicities = table.multiplicities[first:last]
    free = np.array([table.free[p].any() for p in range(first, last)])
    order = np.arange(len(counts))
    occupation = [(0, 0) for _ in range(0)]
    for _ in range(_RETRIES):
        taken = np.zeros(last - first, dtype=np.bool_)
        occupation.clear()
        for i in range(len(order) - 1, 0, -1):  # Fisher and Yates
            j = int(rng.random() * (i + 1))
            order[i], order[j] = order[j], order[i]
        done = True
        for element in order:
            letters = _place(multiplicities, free, taken, counts[element], rng)
            if not letters:
                if not taken.any():
                    return occupation  # this element does not fit by itself
                done = False
                break
            for letter in letters:
                taken[letter] = True
                occupation.append((letter, int(element)))
        if done:
            occupation.sort()
            return occupation
    occupation.clear()
    return occupation


def sample_occupation(
    number: int, counts: Mapping[int, int], rng: np.random.Generator
) -> Occupation | None:
    """Choose Wyckoff positions for all atoms of a primitive cell.

    Parameters
    ----------
    number
        Space group.
    counts
        Atomic number -> atoms in the primitive cell.
    rng
        Source of randomness.

    Returns
    -------
    Orbits, or None if none was found: the counts do not fit the group, or (rarely) fit only in ways
    that eight attempts missed.
    """
    elements = sorted(counts)
    amounts = np.array([counts[element] for element in elements])
    found = occupy(tables(), number - 1, amounts, rng)
    return [(int(letter), elements[element]) for letter, element in found] or None
