"""What all samplers share: draws in chunks of bounded memory, decoded, within a chemical space."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

import torch

from screening.composition import CompositionArray
from screening.generation.representation import decode

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from screening.generation.space import ChemicalSpace

CHUNK = 4096
"""Samples made at a time."""


class CompositionSampler(ABC):
    """Draws compositions from a trained generator."""

    def sample(self, n: int, *, seed: int, space: ChemicalSpace | None = None) -> CompositionArray:
        """Draw `n` samples and decode them.

        Parameters
        ----------
        n
            Number of draws.
        seed
            The same seed gives the same compositions; other seeds give independent ones.
        space
            Keep to this chemical space; None for all that the representation holds.

        Returns
        -------
        Reduced compositions in the order of the draws, duplicates included. At most `n`: draws
        that are no composition of 2 to 8 elements, or not in the space, are missing.
        """
        rng = torch.Generator().manual_seed(seed)
        parts = [self._chunk(min(CHUNK, n - done), rng, space) for done in range(0, n, CHUNK)]
        return CompositionArray.concatenate(parts)

    @abstractmethod
    def settings(self) -> dict[str, float]:
        """Return what can be set of the sampling, for a report."""

    def _chunk(self, n: int, rng: torch.Generator, space: ChemicalSpace | None) -> CompositionArray:
        with torch.inference_mode():
            amounts = self._amounts(n, rng, space)
        compositions, _ = decode(amounts)
        return compositions if space is None else compositions[space.contains(compositions)]

    @abstractmethod
    def _amounts(
        self, n: int, rng: torch.Generator, space: ChemicalSpace | None
    ) -> NDArray[np.uint8]:
        """Draw amounts per element, shape ``(n, 85)``; what breaks the space is dropped later."""
