"""Likelihoods of the sites of known prototypes, kept small inside a checkpoint.

A fingerprint takes a fraction of a millisecond, a bank has tens of thousands of sites. Their table
of likelihoods is kept as a product of two narrow matrices, the larger in 8 bits, with a key of
each prototype's geometry: any bank, or part of one, finds those of its prototypes that are there.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Mapping

    from screening.structure.bank import Bank

Singles = NDArray[np.float32]

PREFIX = "cache_"
RANK = 48
"""Width of the narrow matrices."""
_LARGEST = 127


def prototype_keys(bank: Bank) -> NDArray[np.uint64]:
    """Hash the geometry of each prototype, orbits in their order, shape ``(p,)``."""
    keys = []
    for prototype in range(bank.n_prototypes):
        part = slice(bank.orbit_start[prototype], bank.orbit_start[prototype + 1])
        arrays = (
            bank.groups[prototype : prototype + 1],
            bank.cells[prototype],
            bank.letters[part],
            bank.coordinates[part],
        )
        content = b"|".join(np.ascontiguousarray(array).tobytes() for array in arrays)
        keys.append(hashlib.blake2b(content, digest_size=8).digest())
    return np.frombuffer(b"".join(keys), dtype="<u8")


@dataclass(frozen=True)
class SiteCache:
    """log P(element | site) of the orbits of prototypes, ``left * scales @ right + mean``.

    Attributes
    ----------
    keys
        `prototype_keys`, ascending, shape ``(p,)``.
    starts
        First orbit of each, then the number of orbits, shape ``(p + 1,)``, int32.
    left
        Shape ``(o, r)``, int8.
    scales
        Unit of each column of `left`, shape ``(r,)``.
    right
        Shape ``(r, e)``.
    mean
        Shape ``(e,)``.
    """

    keys: NDArray[np.uint64]
    starts: NDArray[np.int32]
    left: NDArray[np.int8]
    scales: Singles
    right: NDArray[np.float16]
    mean: Singles

    @classmethod
    def of(cls, bank: Bank, log_likelihoods: Singles, rank: int = RANK) -> Self:
        """Approximate the likelihoods of a bank's orbits, shape ``(o, e)``."""
        keys, first = np.unique(prototype_keys(bank), return_index=True)
        starts, orbits = _orbits(bank, first)
        values = log_likelihoods[orbits].astype(np.float64)
        mean = values.mean(axis=0)
        centred = values - mean
        _, vectors = np.linalg.eigh(centred.T @ centred)
        right = vectors[:, ::-1][:, :rank].T
        left = centred @ right.T
        scales = np.maximum(np.abs(left).max(axis=0, initial=0.0) / _LARGEST, 1e-12)
        return cls(
            keys=keys,
            starts=starts,
            left=np.round(left / scales).astype(np.int8),
            scales=scales.astype(np.float32),
            right=np.ascontiguousarray(right, dtype=np.float16),
            mean=mean.astype(np.float32),
        )

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, NDArray[Any]]) -> Self | None:
        """Read it from a checkpoint's tensors; None if it is not there."""
        if PREFIX + "keys" not in tensors:
            return None
        return cls(**{item.name: tensors[PREFIX + item.name] for item in fields(cls)})

    def to_tensors(self) -> dict[str, NDArray[Any]]:
        """Arrays by name, for a checkpoint."""
        return {PREFIX + item.name: getattr(self, item.name) for item in fields(self)}

    def find(self, bank: Bank) -> tuple[NDArray[np.int64], NDArray[np.int64], Singles]:
        """Look up the prototypes of a bank.

        Returns
        -------
        The prototypes that are not here, the orbits of those that are, ``(n,)``, and the
        likelihoods of these orbits, ``(n, e)``.
        """
        keys = prototype_keys(bank)
        places = np.minimum(np.searchsorted(self.keys, keys), max(len(self.keys) - 1, 0))
        known = self.keys[places] == keys if len(self.keys) else np.zeros(len(keys), dtype=bool)
        _, orbits = _orbits(bank, np.flatnonzero(known))
        lengths = np.diff(self.starts)[places[known]]
        own = _ranges(self.starts[places[known]].astype(np.int64), lengths)
        values = (self.left[own] * self.scales) @ self.right.astype(np.float32) + self.mean
        return np.flatnonzero(~known), orbits, values.astype(np.float32)


def _orbits(
    bank: Bank, prototypes: NDArray[np.int64]
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """List the orbits of some prototypes one after the other, and where each begins."""
    lengths = np.diff(bank.orbit_start)[prototypes]
    starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    return starts, _ranges(bank.orbit_start[prototypes].astype(np.int64), lengths)


def _ranges(firsts: NDArray[np.int64], lengths: NDArray[np.int32]) -> NDArray[np.int64]:
    """Concatenate the ranges that begin at `firsts`."""
    ends = np.cumsum(lengths)
    offsets: NDArray[np.int64] = np.repeat(firsts - ends + lengths, lengths)
    return offsets + np.arange(len(offsets))
