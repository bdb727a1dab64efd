"""PaiNN: messages of scalars and vectors between atoms, equivariant under rotations.

Schütt et al. 2021, arXiv:2102.03150.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from screening.structure.cdvae.graph import Graph

N_RADIAL = 20


class Painn(nn.Module):
    """Scalars and vectors of atoms from their surroundings.

    Parameters
    ----------
    width
        Length of the scalars, and number of the vectors.
    layers
        Rounds of messages.
    context
        Length of a vector that each atom is told in each round.
    cutoff
        Distance at which messages end (Angstrom).
    """

    def __init__(self, width: int, layers: int, context: int, cutoff: float) -> None:
        super().__init__()
        self.cutoff = cutoff
        self.blocks = nn.ModuleList(_Block(width, context) for _ in range(layers))

    def forward(self, scalars: Tensor, context: Tensor, graph: Graph) -> tuple[Tensor, Tensor]:
        """Exchange messages.

        Parameters
        ----------
        scalars
            At the start, ``(m, width)``.
        context
            Of each atom's crystal, ``(m, context)``.
        graph
            Neighbours.

        Returns
        -------
        Scalars ``(m, width)`` and vectors ``(m, 3, width)``.
        """
        vectors = scalars.new_zeros(len(scalars), 3, scalars.shape[1])
        near = graph.distances.clamp(max=self.cutoff)
        last = near[:, -1:]  # of a shell that is cut off by the number of neighbours nothing counts
        waves = torch.arange(1, N_RADIAL + 1, device=near.device) * math.pi / self.cutoff
        radial = torch.sin(near[..., None] * waves) / near[..., None]
        envelope = 0.5 * (torch.cos(math.pi * near / last) + 1)
        edges = _Edges(graph, radial, envelope[..., None])
        for block in self.blocks:
            scalars, vectors = block(scalars, vectors, context, edges)
        return scalars, vectors


@dataclass(frozen=True)
class _Edges:
    """Neighbours, radial functions ``(m, k, N_RADIAL)`` and envelopes ``(m, k, 1)``."""

    graph: Graph
    radial: Tensor
    envelope: Tensor


class _Block(nn.Module):
    """One round: messages from neighbours, then an update of each atom."""

    def __init__(self, width: int, context: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.told = nn.Linear(context, width)
        self.sent = nn.Sequential(nn.Linear(width, width), nn.SiLU(), nn.Linear(width, 3 * width))
        self.weight = nn.Linear(N_RADIAL, 3 * width)
        self.left = nn.Linear(width, width, bias=False)
        self.right = nn.Linear(width, width, bias=False)
        self.update = nn.Sequential(
            nn.Linear(2 * width, width), nn.SiLU(), nn.Linear(width, 3 * width)
        )

    def forward(
        self, scalars: Tensor, vectors: Tensor, context: Tensor, edges: _Edges
    ) -> tuple[Tensor, Tensor]:
        neighbours, units = edges.graph.neighbours, edges.graph.units
        sent = self.sent(self.norm(scalars) + self.told(context))
        received = sent[neighbours] * self.weight(edges.radial) * edges.envelope
        own, along, kept = received.chunk(3, dim=-1)
        scalars = scalars + own.sum(dim=1) / 4
        moved = (along[:, :, None] * units[..., None]).sum(dim=1)
        moved = moved + (kept[:, :, None] * vectors[neighbours]).sum(dim=1)
        vectors = vectors + moved / 4
        left, right = self.left(vectors), self.right(vectors)
        size = right.square().sum(dim=1).add(1e-8).sqrt()
        scale, change, dot = self.update(torch.cat([scalars, size], dim=-1)).chunk(3, dim=-1)
        scalars = scalars + change + dot * (left * right).sum(dim=1)
        return scalars, vectors + scale[:, None] * left
