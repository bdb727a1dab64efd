"""CHGNet's graph of a batch of crystals: bonds below 6 Angstrom, angles between bonds below 3.

The same bonds and angles as chgnet's converter makes (doi:10.1038/s42256-023-00716-3), but for the
whole batch at once, from neighbour lists that live as long as the atoms have not moved far.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from screening.engines.neighbors import neighbors_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from screening.engines.base import Crystal

Rows = TypeVar("Rows", "NDArray[np.int64]", "NDArray[np.float64]")

ATOM_CUTOFF = 6.0
"""Longest bond of the atom graph (Angstrom)."""
BOND_CUTOFF = 3.0
"""Longest bond that takes part in angles (Angstrom)."""


@dataclass(frozen=True)
class Bonds:
    """The bonds of one crystal, each once, those that take part in angles first.

    Attributes
    ----------
    first, second
        Atoms of each bond, shape ``(m,)``.
    vectors
        From the first to the second atom (Angstrom), shape ``(m, 3)``.
    n_short
        How many bonds, at the front, are shorter than `BOND_CUTOFF`.
    left, right
        Positions of the two directed short bonds that meet in each unordered pair of angles, shape
        ``(a,)``. Directed bond ``k < n_short`` starts at the first atom of bond ``k``, directed
        bond ``n_short + k`` at the second.
    """

    first: NDArray[np.int64]
    second: NDArray[np.int64]
    vectors: NDArray[np.float64]
    n_short: int
    left: NDArray[np.int64]
    right: NDArray[np.int64]

    @property
    def cost(self) -> int:
        """Rows of the two large tables of the network: directed bonds and angles."""
        return 2 * len(self.first) + 2 * len(self.left)


def find_bonds(crystal: Crystal, skin: float) -> Bonds:
    """Find the bonds and angles of one crystal; `skin` (Angstrom) of the neighbour list."""
    pairs = neighbors_of(crystal, ATOM_CUTOFF, skin)
    vectors = pairs.vectors(crystal)
    square = np.einsum("ij,ij->i", vectors, vectors)
    short = square < BOND_CUTOFF**2
    order = np.concatenate(
        [np.flatnonzero(short), np.flatnonzero(~short & (square < ATOM_CUTOFF**2))]
    )
    first, second = pairs.first[order], pairs.second[order]
    n_short = int(short.sum())
    left, right = _pairs_at_same_atom(np.concatenate([first[:n_short], second[:n_short]]))
    return Bonds(first, second, vectors[order], n_short, left, right)


def _pairs_at_same_atom(
    centers: NDArray[np.int64],
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """All unordered pairs of directed bonds that start at the same atom."""
    order = np.argsort(centers, kind="stable")
    counts = np.bincount(centers) if len(centers) else np.zeros(0, dtype=np.int64)
    counts = counts[counts > 0]
    end = np.repeat(np.cumsum(counts), counts)
    rest = end - np.arange(len(order)) - 1
    left = np.repeat(np.arange(len(order)), rest)
    start = np.repeat(np.cumsum(rest) - rest, rest)
    right = left + 1 + np.arange(len(left)) - start
    return order[left], order[right]


@dataclass(frozen=True)
class BatchGraph:
    """The bonds of several crystals, joined; short bonds of all crystals first.

    Attributes
    ----------
    numbers
        Atomic numbers, shape ``(n,)``.
    owner
        Crystal of each atom, shape ``(n,)``.
    first, second
        Atoms of each bond, shape ``(m,)``.
    vectors
        Bond vectors (Angstrom), shape ``(m, 3)``.
    n_short
        Bonds below `BOND_CUTOFF`, at the front.
    left, right
        The two bonds of each unordered pair of angles, shape ``(a,)``.
    center
        The atom where they meet, shape ``(a,)``.
    sign
        1 if both bond vectors point away from, or both towards, that atom; else -1, shape ``(a,)``.
    """

    numbers: NDArray[np.int64]
    owner: NDArray[np.int64]
    first: NDArray[np.int64]
    second: NDArray[np.int64]
    vectors: NDArray[np.float64]
    n_short: int
    left: NDArray[np.int64]
    right: NDArray[np.int64]
    center: NDArray[np.int64]
    sign: NDArray[np.float64]


def join(crystals: Sequence[Crystal], bonds: Sequence[Bonds]) -> BatchGraph:
    """Join the bonds of several crystals into one graph."""
    sizes = np.array([len(crystal) for crystal in crystals])
    offsets = np.cumsum(sizes) - sizes
    parts = list(zip(bonds, offsets, strict=True))
    first = [b.first + shift for b, shift in parts]
    second = [b.second + shift for b, shift in parts]
    vectors = [b.vectors for b in bonds]
    short_before = np.cumsum([0, *(b.n_short for b in bonds)])
    left, left_end = _angle_ends(bonds, short_before, "left")
    right, right_end = _angle_ends(bonds, short_before, "right")
    heads = [b.n_short for b in bonds]
    firsts = _short_first(first, heads)
    seconds = _short_first(second, heads)
    return BatchGraph(
        numbers=np.concatenate([crystal.numbers for crystal in crystals]),
        owner=np.repeat(np.arange(len(crystals)), sizes),
        first=firsts,
        second=seconds,
        vectors=_short_first(vectors, heads),
        n_short=int(short_before[-1]),
        left=left,
        right=right,
        center=np.where(left_end, seconds[left], firsts[left]),
        sign=np.where(left_end == right_end, 1.0, -1.0),
    )


def _short_first(parts: Sequence[Rows], heads: Sequence[int]) -> Rows:
    """Concatenate, with the first `heads` rows of every part in front."""
    pairs = list(zip(parts, heads, strict=True))
    joined: Rows = np.concatenate([part[:n] for part, n in pairs] + [part[n:] for part, n in pairs])
    return joined


def _angle_ends(
    bonds: Sequence[Bonds], short_before: NDArray[np.int64], side: str
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Undirected bond of one side of all angles, and whether they meet at its second atom."""
    undirected, at_second = [], []
    for b, shift in zip(bonds, short_before[:-1], strict=True):
        directed = getattr(b, side)
        second = directed >= b.n_short
        undirected.append(directed - np.where(second, b.n_short, 0) + shift)
        at_second.append(second)
    return np.concatenate(undirected), np.concatenate(at_second)
