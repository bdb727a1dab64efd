"""What the networks know of the sites of a bank, kept small inside a checkpoint.

A fingerprint and its way through the encoder take a fraction of a millisecond, a bank has tens of
thousands of sites. Their latent variables are kept in 8 bits, with a key of each prototype's
geometry: any bank, or part of one, finds those of its prototypes that are there.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Mapping

    from screening.prototypes.bank import Bank

Singles = NDArray[np.float32]

PREFIX = "cache_"
_LARGEST = 127


def prototype_keys(bank: Bank) -> NDArray[np.uint64]:
    """Hash the geometry of each prototype, orbits in their order, shape ``(p,)``."""
    keys = []
    for prototype in range(bank.n_prototypes):
        part = bank.orbits_of(prototype)
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
    """Latent variables of the orbits of prototypes.

    Attributes
    ----------
    keys
        `prototype_keys`, ascending, shape ``(p,)``.
    starts
        First orbit of each, then the number of orbits, shape ``(p + 1,)``, int32.
    latent
        In units of `scales`, shape ``(o, l)``, int8.
    scales
        Shape ``(l,)``.
    ratios
        Smallest distance in the crystal over the site's, shape ``(o,)``.
    """

    keys: NDArray[np.uint64]
    starts: NDArray[np.int32]
    latent: NDArray[np.int8]
    scales: Singles
    ratios: NDArray[np.float16]

    @classmethod
    def of(cls, bank: Bank, latent: Singles, ratios: Singles) -> Self:
        """Keep the latent variables ``(o, l)`` and ratios ``(o,)`` of a bank's orbits."""
        keys, first = np.unique(prototype_keys(bank), return_index=True)
        starts, orbits = _orbits(bank, first)
        scales = np.maximum(np.abs(latent).max(axis=0, initial=0.0) / _LARGEST, 1e-12)
        return cls(
            keys=keys,
            starts=starts,
            latent=np.round(latent[orbits] / scales).astype(np.int8),
            scales=scales.astype(np.float32),
            ratios=ratios[orbits].astype(np.float16),
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

    def find(self, bank: Bank) -> tuple[NDArray[np.int64], NDArray[np.int64], Singles, Singles]:
        """Look up the prototypes of a bank.

        Returns
        -------
        The prototypes that are not here, the orbits of those that are, ``(n,)``, and the latent
        variables ``(n, l)`` and ratios ``(n,)`` of these orbits.
        """
        keys = prototype_keys(bank)
        places = np.minimum(np.searchsorted(self.keys, keys), max(len(self.keys) - 1, 0))
        known = self.keys[places] == keys if len(self.keys) else np.zeros(len(keys), dtype=bool)
        _, orbits = _orbits(bank, np.flatnonzero(known))
        lengths = np.diff(self.starts)[places[known]]
        own = _ranges(self.starts[places[known]].astype(np.int64), lengths)
        latent = self.latent[own] * self.scales
        return np.flatnonzero(~known), orbits, latent, self.ratios[own].astype(np.float32)


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
