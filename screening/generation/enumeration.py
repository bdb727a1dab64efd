"""All balanced compositions of a chemical space, in order of size, from anywhere in the list.

The raw space is cut into segments of N atoms per formula unit and k elements. A segment is the
product of the k-subsets of the elements and of the ways to write N as k positive amounts, which
are the (k - 1)-subsets of N - 1 cuts; both are numbered in the combinatorial number system, so any
range of the raw space is computed without the part before it. What is not reduced or not balanced
(`screening.balance`) is dropped.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import comb
from typing import TYPE_CHECKING

import numpy as np

from screening.balance import accepted, balance_codes
from screening.composition import CompositionArray
from screening.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from screening.generation.space import ChemicalSpace

MAX_RAW = 100_000_000
"""Largest raw space, before the rules; about a minute and a half of work."""

SLICE = 1 << 17
"""Raw compositions that are in memory at a time."""


def subsets(rank: NDArray[np.int64], size: int, n: int) -> NDArray[np.int64]:
    """Return some of the `size`-subsets of ``range(n)``, numbered in colexicographic order.

    Parameters
    ----------
    rank
        Numbers of the wanted subsets, each below ``comb(n, size)``, shape ``(r,)``.

    Returns
    -------
    Ascending members, shape ``(r, size)``.
    """
    members = np.empty((len(rank), size), dtype=np.int64)
    rest = rank.copy()
    for k in range(size, 0, -1):
        table = np.array([comb(c, k) for c in range(n + 1)], dtype=np.int64)
        members[:, k - 1] = np.searchsorted(table, rest, side="right") - 1
        rest -= table[members[:, k - 1]]
    return members


@dataclass(frozen=True)
class Enumeration:
    """The balanced compositions of a chemical space.

    Smaller formula units come first, then fewer elements; each composition occurs once.

    Attributes
    ----------
    space
        The chemical space.
    table, pauling, alloys, mixed_valence
        The rules: see `screening.balance.balance_codes`. Without `alloys`, metals need ionic
        states too, because otherwise every composition of metals would be listed.

    Raises
    ------
    InputError
        If the raw space has more than `MAX_RAW` compositions.
    """

    space: ChemicalSpace
    table: str
    pauling: bool = True
    alloys: bool = False
    mixed_valence: bool = False

    def __post_init__(self) -> None:
        if self.n_raw > MAX_RAW:
            raise InputError(
                f"enumeration would try {self.n_raw:,} compositions of {self.space.describe()}, at "
                f"most {MAX_RAW:,} are allowed: name fewer elements, or lower max_elements or "
                "max_atoms"
            )

    @cached_property
    def _free(self) -> NDArray[np.uint8]:
        """Atomic numbers of the elements that may be left out."""
        free = [z for z in self.space.elements if z not in self.space.required]
        return np.array(free, dtype=np.uint8)

    @cached_property
    def _segments(self) -> list[tuple[int, int, int]]:
        """Atoms, elements and number of raw compositions of each segment."""
        n_required = len(self.space.required)
        smallest = max(self.space.min_elements, n_required)
        largest = min(self.space.max_elements, len(self.space.elements))
        return [
            (n_atoms, size, comb(len(self._free), size - n_required) * comb(n_atoms - 1, size - 1))
            for n_atoms in range(1, self.space.max_atoms + 1)
            for size in range(smallest, min(largest, n_atoms) + 1)
        ]

    @cached_property
    def n_raw(self) -> int:
        """Compositions before the rules, those that are not reduced included."""
        return sum(count for _, _, count in self._segments)

    def is_empty(self) -> bool:
        """Tell whether no composition is left; looks until it finds one."""
        return all(not len(part) for part in self._parts(0, self.n_raw))

    def balanced(self, start: int, stop: int) -> CompositionArray:
        """Return what is left of the raw compositions `start` to `stop` (exclusive)."""
        return CompositionArray.concatenate(list(self._parts(start, stop)))

    def _parts(self, start: int, stop: int) -> Iterator[CompositionArray]:
        """Yield what is left of a raw range, at most `SLICE` raw compositions at a time."""
        offset = 0
        for n_atoms, size, count in self._segments:
            first, last = max(start - offset, 0), min(stop - offset, count)
            for here in range(first, last, SLICE):
                rank = np.arange(here, min(here + SLICE, last), dtype=np.int64)
                yield self._filter(self._raw(n_atoms, size, rank))
            offset += count

    def _raw(self, n_atoms: int, size: int, rank: NDArray[np.int64]) -> CompositionArray:
        """Make the raw compositions with these numbers in the segment of `n_atoms` and `size`."""
        which, cut = np.divmod(rank, comb(n_atoms - 1, size - 1))
        required = np.array(self.space.required, dtype=np.uint8)
        free = self._free[subsets(which, size - len(required), len(self._free))]
        must = np.broadcast_to(required, (len(rank), len(required)))
        numbers = np.sort(np.concatenate([must, free], axis=1), axis=1)
        cuts = subsets(cut, size - 1, n_atoms - 1) + 1
        ends = np.pad(cuts, ((0, 0), (1, 1)), constant_values=((0, 0), (0, n_atoms)))
        return CompositionArray(numbers, np.diff(ends, axis=1).astype(np.uint16))

    def _filter(self, raw: CompositionArray) -> CompositionArray:
        """Keep what is reduced and balanced."""
        raw = raw[np.gcd.reduce(raw.counts, axis=1) == 1]
        codes = balance_codes(
            raw,
            table=self.table,
            pauling=self.pauling,
            alloys=self.alloys,
            mixed_valence=self.mixed_valence,
        )
        return raw[accepted(codes)]
