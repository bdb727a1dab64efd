"""Ordered derivatives: two elements share the sites that one has in a known crystal.

Many compounds with several elements have no prototype of their own stoichiometry, but order two of
them on the sites of a simpler one: Sr and Ba of BaSrYTlCu2O7 on those of Ba in Ba2YTlCu2O7. Which
sites the rarer one takes are the colourings of those sites; colourings that an operation of the
space group takes into each other are one crystal (Hart & Forcade 2008,
doi:10.1103/PhysRevB.77.224115). The cell stays that of the parent.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from math import comb
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from screening.compiled import compiled
from screening.crystal.crystals import primitive_sites

if TYPE_CHECKING:
    from screening.crystal.crystals import Crystal
    from screening.prototypes.substitution import SubstitutionModel

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

MOST_COLOURINGS = 200_000
"""Sites with more colourings than this are left out."""
_MOST_SITES = 60
"""They are bits of an integer."""
_SAME = 1e-3
"""Difference of fractional coordinates below which two sites are one."""


@dataclass(frozen=True)
class Pair:
    """Two elements that share sites.

    Attributes
    ----------
    host, guest
        Atomic numbers; the parent has the host on all of the sites.
    distance
        How unlike they are in the bank's substitution model.
    """

    host: int
    guest: int
    distance: float


def likely_pairs(composition: dict[int, int], model: SubstitutionModel, n: int) -> list[Pair]:
    """List the pairs of elements that may share sites, the most alike first, `n` at most.

    The more frequent one is the host; of two that are as frequent, the one with the lower atomic
    number.
    """
    pairs = []
    for first, second in combinations(sorted(composition), 2):
        guest, host = sorted((first, second), key=lambda z: (composition[z], -z))
        pairs.append(Pair(host, guest, model.distance(host, guest)))
    return sorted(pairs, key=lambda pair: (pair.distance, pair.host, pair.guest))[:n]


def site_permutations(crystal: Crystal, sites: Ints) -> Ints:
    """Permutations of some sites by the operations of the space group.

    Parameters
    ----------
    crystal
        The crystal.
    sites
        Places in the order of `primitive_cell`, whole orbits, shape ``(m,)``.

    Returns
    -------
    ``(p, m)``, each once: operation ``p`` takes site ``i`` to place ``[p, i]`` of `sites`.
    """
    group = crystal.group
    points = primitive_sites(crystal)[sites]
    moved = points @ np.swapaxes(group.rotations, 1, 2) + group.translations[:, None]
    steps = (moved[:, :, None] - points) @ group.conventional
    steps -= np.round(steps)
    same = np.abs(steps).max(axis=-1) < _SAME
    whole = same.any(axis=2).all(axis=1)
    return np.unique(same[whole].argmax(axis=2), axis=0)


@compiled
def _distinct(permutations: Ints, k: int, n: int) -> tuple[Ints, Ints]:
    """Choices of `k` sites that are the first of their equivalents, as bits; at most `n`.

    Also how many equivalents each has.
    """
    m = permutations.shape[1]
    found = np.empty(n, dtype=np.int64)
    sizes = np.empty(n, dtype=np.int64)
    bits = np.int64(1) << permutations
    count = 0
    mask = (np.int64(1) << k) - 1
    end = np.int64(1) << m
    while mask < end and count < n:
        kept, first = 0, True
        for p in range(len(permutations)):
            image = np.int64(0)
            for i in range(m):
                if (mask >> i) & 1:
                    image |= bits[p, i]
            if image < mask:
                first = False
                break
            kept += image == mask
        if first:
            found[count], sizes[count] = mask, len(permutations) // kept
            count += 1
        lowest = mask & -mask  # the next larger number with as many bits
        ripple = mask + lowest
        mask = ripple | (((mask ^ ripple) // lowest) >> 2)
    return found[:count], sizes[:count]


def colourings(permutations: Ints, k: int, n: int) -> tuple[NDArray[np.bool_], Ints]:
    """Choose `k` of the sites in all distinct ways, the most symmetric first.

    Parameters
    ----------
    permutations
        Of `site_permutations`, ``(p, m)``.
    k
        Sites that are chosen, 1 to ``m - 1``.
    n
        Most ways that are returned.

    Returns
    -------
    Which sites are chosen ``(c, m)``, and how many equivalents each way has ``(c,)``; nothing if
    there are more than `MOST_COLOURINGS` ways before symmetry.
    """
    m = permutations.shape[1]
    total = comb(m, k)
    if not 0 < k < m <= _MOST_SITES or total > MOST_COLOURINGS:
        return np.zeros((0, m), dtype=bool), np.zeros(0, dtype=np.int64)
    masks, sizes = _distinct(permutations, k, total)
    order = np.lexsort((masks, sizes))[:n]
    chosen = (masks[order, None] >> np.arange(m)) & 1
    return chosen.astype(bool), sizes[order]
