"""Random occupations of Wyckoff positions that give a cell its atoms."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from screening.structure.spacegroups import space_group

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

Occupation = list[tuple[int, int]]
"""(letter as an index, atomic number) of each orbit."""

_RETRIES = 8


@cache
def _positions(number: int) -> tuple[tuple[int, ...], tuple[bool, ...]]:
    """Multiplicity in the primitive cell of each Wyckoff position, and whether it has freedom."""
    group = space_group(number)
    return (
        tuple(p.multiplicity // group.n_centring for p in group.positions),
        tuple(p.dof > 0 for p in group.positions),
    )


def _ways(
    multiplicities: tuple[int, ...], free: tuple[bool, ...], taken: set[int], count: int
) -> NDArray[np.float64]:
    """Count the ways to place r atoms on positions i, i+1, ...; shape ``(n + 1, count + 1)``.

    A position without freedom holds one orbit at most, and none if it is in `taken`.
    """
    n = len(multiplicities)
    ways = np.zeros((n + 1, count + 1))
    ways[n, 0] = 1
    for i in range(n - 1, -1, -1):
        m = multiplicities[i]
        ways[i] = ways[i + 1]
        if free[i]:
            for r in range(m, count + 1):
                ways[i, r] += ways[i, r - m]
        elif i not in taken and m <= count:
            ways[i, m:] += ways[i + 1, : count + 1 - m]
    return ways


def _place(number: int, count: int, taken: set[int], rng: np.random.Generator) -> list[int] | None:
    """Letters for `count` atoms of one element, every combination equally likely, or None."""
    multiplicities, free = _positions(number)
    ways = _ways(multiplicities, free, taken, count)
    if ways[0, count] == 0:
        return None
    letters: list[int] = []
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
    for _ in range(_RETRIES):
        taken: set[int] = set()
        occupation: Occupation = []
        for element in rng.permutation(elements).tolist():
            letters = _place(number, counts[element], taken, rng)
            if letters is None:
                break
            taken.update(letters)
            occupation += [(letter, element) for letter in letters]
        else:
            return sorted(occupation)
    return None
