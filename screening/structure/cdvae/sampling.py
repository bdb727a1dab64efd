"""Crystals from the trained networks: annealed Langevin dynamics of the positions.

Song & Ermon 2019, arXiv:1907.05600.
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

    from screening.structure.cdvae.network import CondCdvae
    from screening.structure.crystals import Cell


@dataclass(frozen=True)
class SamplingOptions:
    """How structures are drawn.

    Attributes
    ----------
    steps
        Steps of Langevin dynamics at each level of noise; the paper has 100.
    rate
        Step at the smallest noise (Angstrom^2); at others it grows with the square of the noise.
    batch_size
        Crystals that are drawn together.
    """

    steps: int = 10
    rate: float = 1e-4
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
        z = torch.randn(len(batch), network.latent, generator=random)
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
    _, lattices = network.predict_lattice(joint, mask.sum(dim=1))
    inverse = torch.linalg.inv(lattices)
    points = torch.rand(batch.points.shape, generator=random)
    sigmas = network.get_buffer("sigmas")
    for sigma in sigmas:
        step = options.rate * (sigma / sigmas[-1]) ** 2
        for _ in range(options.steps):
            noise = torch.randn(points.shape, generator=random) * (2 * step).sqrt()
            move = torch.zeros_like(points)
            move[mask] = network.decode(batch, lattices, points, joint) * step / sigma
            points = points + (move + noise) @ inverse
            points = points - points.floor()
    cells = []
    for row in range(len(batch)):
        there = mask[row].numpy()
        lattice = lattices[row].double().numpy()
        cells.append(
            (lattice, points[row].double().numpy()[there], batch.numbers[row].numpy()[there])
        )
    return cells
