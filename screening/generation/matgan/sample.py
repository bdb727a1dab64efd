"""Sampling of trained generators, MatGAN above all: seeded, batched, within a chemical space.

How a chemical space is kept. The slots of a `SlotGenerator` are independent given the latent
vector, so the probability that all of them choose allowed elements (or none) is known without a
sample. Latent vectors are drawn in proportion to it, and to an estimate of the probability that
each required element is chosen (sampling-importance-resampling, Rubin 1987, from `POOL` vectors for
each one kept); then the forbidden elements are masked. What lacks a required element, or breaks the
limits of size, is rejected. The authors' network has no such probabilities: rejection only.

Sampling temperature. Gumbel noise of scale t on the scores of a choice draws it from their softmax
at temperature t. Below that of the training, more samples are valid and fewer distinct or new.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from screening.generation.chunks import CompositionSampler
from screening.generation.matgan.model import ConvGenerator, SlotGenerator
from screening.generation.representation import amounts_by_threshold, element_numbers

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from screening.generation.space import ChemicalSpace

POOL = 8
"""Latent vectors drawn for each one that is kept, where the space is restricted."""


def build_generator(arguments: dict[str, object]) -> SlotGenerator | ConvGenerator:
    """Build the generator that a card's `arguments` describe, with fresh weights."""
    settings = dict(arguments)
    network = SlotGenerator if settings.pop("network") == "slots" else ConvGenerator
    return network(**settings)  # type: ignore[arg-type]


class Sampler(CompositionSampler):
    """Draws compositions from a generator.

    Parameters
    ----------
    generator
        A trained generator; it is switched to evaluation.
    temperature
        Sampling temperature of a `SlotGenerator`, which is set to it; None leaves that of its
        training.
    """

    def __init__(
        self, generator: SlotGenerator | ConvGenerator, temperature: float | None = None
    ) -> None:
        self.generator = generator.eval()
        if temperature is not None and isinstance(generator, SlotGenerator):
            generator.noise = temperature

    def settings(self) -> dict[str, float]:
        """Return the temperature, if there is one."""
        generator = self.generator
        return {"temperature": generator.noise} if isinstance(generator, SlotGenerator) else {}

    def _amounts(
        self, n: int, rng: torch.Generator, space: ChemicalSpace | None
    ) -> NDArray[np.uint8]:
        return amounts_by_threshold(self._cells(n, rng, space).numpy())

    def _cells(self, n: int, rng: torch.Generator, space: ChemicalSpace | None) -> Tensor:
        generator = self.generator
        allowed = None if space is None else np.isin(element_numbers(), space.elements)
        if (
            space is None
            or allowed is None
            or isinstance(generator, ConvGenerator)
            or (allowed.all() and not space.required)
        ):
            cells: Tensor = generator(torch.randn(n, generator.latent, generator=rng), rng)
            return cells
        required = np.isin(element_numbers(), space.required)
        z = torch.randn(n * POOL, generator.latent, generator=rng)
        elements, amounts = generator.logits(z)
        scores = elements / max(generator.noise, 1e-6)
        weight = _log_weight(scores, torch.from_numpy(allowed), torch.from_numpy(required))
        kept = _resample(weight, n, rng)
        barred = torch.cat([torch.tensor([False]), torch.from_numpy(~allowed)])
        elements = elements[kept].masked_fill(barred, -torch.inf)
        return generator.cells((elements, amounts[kept]), rng)


def _log_weight(elements: Tensor, allowed: Tensor, required: Tensor) -> Tensor:
    """Log-probability that the slots keep to the space, shape ``(n,)``; see the module.

    Parameters
    ----------
    elements
        Scores of no element and of 85 elements, shape ``(n, slots, 86)``.
    allowed, required
        Which of the 85 elements may and must occur, shape ``(85,)``.
    """
    odds = elements.double().log_softmax(dim=-1)
    inside = torch.cat([torch.tensor([True]), allowed])
    slot = odds[..., inside].logsumexp(dim=-1)
    wanted = odds[..., 1:][..., required] - slot[..., None]
    present = -torch.expm1(torch.log1p(-wanted.exp().clamp(max=1 - 1e-12)).sum(dim=1))
    return slot.sum(dim=1) + present.clamp_min(1e-300).log().sum(dim=1)


def _resample(log_weight: Tensor, n: int, rng: torch.Generator) -> Tensor:
    """Draw `n` indices in proportion to the weights, with replacement."""
    weight = (log_weight - log_weight.max()).exp()
    ends = weight.cumsum(dim=0)
    points = torch.rand(n, generator=rng, dtype=torch.float64) * ends[-1]
    return torch.searchsorted(ends, points, right=True).clamp_max(len(ends) - 1)
