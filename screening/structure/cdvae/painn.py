"""PaiNN: messages of scalars and vectors between atoms, equivariant under rotations.

Schütt et al. 2021, arXiv:2102.03150. Filters are linear in the radial functions, so that the sum
over the neighbours is taken for each radial function first, and weighted afterwards: the same
messages with a fraction of the memory. The weights mix the channels, of which few are sent.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from screening.structure.cdvae.graph import Graph


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
    radial
        Number of radial functions.
    sent
        Length of what an atom sends.
    """

    def __init__(
        self, width: int, layers: int, context: int, *, cutoff: float, radial: int, sent: int
    ) -> None:
        super().__init__()
        self.cutoff, self.radial = cutoff, radial
        self.blocks = nn.ModuleList(
            _Block(width, sent, context, radial + 1, first=layer == 0) for layer in range(layers)
        )

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
        edges = self._edges(graph)
        for block in self.blocks:
            scalars, vectors = block(scalars, vectors, context, edges)
        return scalars, vectors

    def _edges(self, graph: Graph) -> _Edges:
        near = graph.distances.clamp(min=1e-3, max=self.cutoff)
        last = near[:, -1:]  # of a shell that is cut off by the number of neighbours nothing counts
        waves = torch.arange(1, self.radial + 1, device=near.device) * math.pi / self.cutoff
        radial = torch.sin(near[..., None] * waves) / near[..., None]
        radial = torch.cat([radial, torch.ones_like(near)[..., None]], dim=-1)
        envelope = 0.5 * (torch.cos(math.pi * near / last) + 1)
        radial = (radial * envelope[..., None]).mT.contiguous()
        along = (graph.units.mT[:, :, None] * radial[:, None]).flatten(1, 2)
        return _Edges(graph.neighbours, radial, torch.cat([radial, along], dim=1))


@dataclass(frozen=True)
class _Edges:
    """Neighbours ``(m, k)``, functions of distance ``(m, r, k)``, with those of direction 4 r."""

    neighbours: Tensor
    radial: Tensor
    directed: Tensor

    def collect(self, functions: Tensor, values: Tensor) -> Tensor:
        """Sum values ``(m, w)`` over the neighbours, for each function: ``(m, functions, w)``."""
        m, k = self.neighbours.shape
        sent = values.index_select(0, self.neighbours.reshape(-1)).reshape(m, k, -1)
        return functions @ sent


class _Block(nn.Module):
    """One round: messages from neighbours, then an update of each atom.

    The first round has no vectors to send.
    """

    def __init__(self, width: int, sent: int, context: int, functions: int, *, first: bool) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.told = nn.Linear(context, width)
        parts = 1 if first else 2
        self.sent = nn.Sequential(
            nn.Linear(width, width), nn.SiLU(), nn.Linear(width, parts * sent)
        )
        self.own = nn.Linear(functions * sent, width, bias=False)
        self.along = nn.Linear(functions * sent, width, bias=False)
        self.down = None if first else nn.Linear(width, sent, bias=False)
        self.kept = None if first else nn.Linear(functions * sent, width, bias=False)
        self.left = nn.Linear(width, width, bias=False)
        self.right = nn.Linear(width, width, bias=False)
        self.update = nn.Sequential(
            nn.Linear(2 * width, width), nn.SiLU(), nn.Linear(width, 3 * width)
        )
        self.shape = functions, sent

    def forward(
        self, scalars: Tensor, vectors: Tensor, context: Tensor, edges: _Edges
    ) -> tuple[Tensor, Tensor]:
        m, (functions, width) = len(scalars), self.shape
        sent = self.sent(self.norm(scalars) + self.told(context))
        received = edges.collect(edges.directed, sent[:, :width]).reshape(m, 4, functions * width)
        scalars = scalars + self.own(received[:, 0])
        moved = self.along(received[:, 1:])
        if self.down is not None and self.kept is not None:
            carried = (sent[:, None, width:] * self.down(vectors)).reshape(m, 3 * width)
            carried = edges.collect(edges.radial, carried).reshape(m, functions, 3, width)
            moved = moved + self.kept(carried.transpose(1, 2).reshape(m, 3, functions * width))
        vectors = vectors + moved
        left, right = self.left(vectors), self.right(vectors)
        size = right.square().sum(dim=1).add(1e-8).sqrt()
        scale, change, dot = self.update(torch.cat([scalars, size], dim=-1)).chunk(3, dim=-1)
        scalars = scalars + change + dot * (left * right).sum(dim=1)
        return scalars, vectors + scale[:, None] * left
