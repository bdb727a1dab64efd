"""Crystals from the trained networks: random positions are brought down the levels of noise.

Annealed Langevin dynamics (Song & Ermon 2019, arXiv:1907.05600), or steps between the levels with
Langevin dynamics at each (Song et al. 2021, arXiv:2011.13456).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from screening.structure.cdvae.data import Batch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from screening.crystal.crystals import Cell
    from screening.structure.cdvae.network import CondCdvae


@dataclass(frozen=True)
class SamplingOptions:
    """How structures are drawn.

    Attributes
    ----------
    steps
        Network calls at each level of noise; the paper has 100.
    levels
        Levels of noise, of those of the training; None for all, as in the paper.
    ancestral
        Whether the last call at a level leads to the next one, and from the last one to no noise;
        the paper's dynamics (False) go on from level to level as they are.
    rate
        Step of the dynamics over the square of the noise; the paper: 1.
    batch_size
        Crystals that are drawn together.
    """

    steps: int = 5
    levels: int | None = 20
    ancestral: bool = True
    rate: float = 0.3
    batch_size: int = 64


@torch.no_grad()
def generate(
    network: CondCdvae,
    numbers: Sequence[NDArray[np.int64]],
    pressures: Sequence[float],
    options: SamplingOptions,
    seed: int,
) -> list[Cell]:
    """Draw one crystal for each list of atomic numbers.

    Parameters
    ----------
    network
        The trained networks.
    numbers
        Atomic numbers of each cell.
    pressures
        Pressures (GPa).
    options
        How.
    seed
        The same seed, numbers and pressures give the same crystals.

    Returns
    -------
    Cells with lattices (Angstrom) and fractional coordinates in [0, 1).
    """
    found: list[Cell] = []
    random = torch.Generator().manual_seed(seed)
    size = options.batch_size
    for start in range(0, len(numbers), size):
        batch = _empty(numbers[start : start + size], pressures[start : start + size])
        z = network.prior.draw(network.conditions(batch), random)
        found += _draw(network, batch, z, options, random)
    return found


@torch.no_grad()
def reconstruct(
    network: CondCdvae, batch: Batch, options: SamplingOptions, seed: int
) -> list[Cell]:
    """Encode crystals and draw them again from the mean of their latent vectors."""
    found: list[Cell] = []
    random = torch.Generator().manual_seed(seed)
    for rows in torch.arange(len(batch)).split(options.batch_size):
        part = batch.rows(rows)
        z, _ = network.encode(part, network.conditions(part))
        found += _draw(network, part, z, options, random)
    return found


def _empty(numbers: Sequence[NDArray[np.int64]], pressures: Sequence[float]) -> Batch:
    """Crystals of which only composition and pressure are known."""
    cells = [(np.eye(3) * 4.0, np.zeros((len(one), 3)), one) for one in numbers]
    return Batch.of_cells(cells, pressures)


def _levels(sigmas: Tensor, wanted: int | None) -> Tensor:
    """Choose levels evenly, the first and the last among them."""
    if wanted is None or wanted >= len(sigmas):
        return sigmas
    return sigmas[torch.linspace(0, len(sigmas) - 1, wanted).round().long()]


def _draw(
    network: CondCdvae,
    batch: Batch,
    z: Tensor,
    options: SamplingOptions,
    random: torch.Generator,
) -> list[Cell]:
    """Predict the lattice, then bring random positions down the levels of noise."""
    mask = batch.numbers > 0
    joint = network.join(z, network.conditions(batch))
    _, lattices = network.predict_lattice(joint, batch)
    inverse = torch.linalg.inv(lattices)
    points = torch.rand(batch.points.shape, generator=random)
    sigmas = _levels(network.get_buffer("sigmas"), options.levels)
    for sigma, after in zip(sigmas, [*sigmas[1:], torch.zeros(())], strict=True):
        for step in range(options.steps):
            score = torch.zeros_like(points)
            score[mask] = network.decode(batch, lattices, points, joint, sigma.expand(len(batch)))
            noise = torch.randn(points.shape, generator=random)
            if options.ancestral and step == options.steps - 1:
                kept = 1 - (after / sigma) ** 2
                move = kept * sigma * score + after * kept.sqrt() * noise
            else:
                move = sigma * (options.rate * score + (2 * options.rate) ** 0.5 * noise)
            points = points + move @ inverse
            points = points - points.floor()
    cells = []
    for row in range(len(batch)):
        there = mask[row].numpy()
        lattice = lattices[row].double().numpy()
        cells.append(
            (lattice, points[row].double().numpy()[there], batch.numbers[row].numpy()[there])
        )
    return cells
