"""Roost: messages between the elements of a composition, weighted by their amounts.

Goodall & Lee 2020, doi:10.1038/s41467-020-19964-7. As in their code, each layer has several heads
of weighted soft attention over all pairs of elements, and the composition is their attention-pooled
sum. Elements start from a learned vector plus a linear map of 22 Magpie properties, in place of the
Matscholar embedding, which is not distributed with this package.

The algebra is rearranged and exact: the first layer of a message's network is split into the part
of the receiver and the part of the sender, which are computed per element and not per pair, and its
last, linear layer is applied after the weighted sum.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu

from screening.elements import MAX_Z
from screening.energy.network import LOG_SIGMA_RANGE, REFERENCE_SCALE
from screening.features import MAGPIE_PROPERTIES
from screening.features.table import imputed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from screening.composition import CompositionArray

SLOPE = 0.01
_ABSENT = -1e4


def graph_inputs(compositions: CompositionArray) -> NDArray[np.float32]:
    """Elements and molar fractions side by side, shape ``(n, 2 k)``; absent ones are 0."""
    return np.concatenate([compositions.numbers, compositions.fractions()], axis=1).astype(
        np.float32
    )


def element_properties() -> NDArray[np.float32]:
    """Standardised Magpie properties, shape ``(104, 22)``; row 0 is 0."""
    values = np.stack([imputed(f"magpie_{name}") for name in MAGPIE_PROPERTIES], axis=1)
    values = (values - values[1:].mean(axis=0)) / values[1:].std(axis=0)
    values[0] = 0
    properties: NDArray[np.float32] = values.astype(np.float32)
    return properties


class Attention(nn.Module):
    """Heads of weighted soft attention: gate and message networks with one hidden layer.

    Parameters
    ----------
    size
        Length of an element's vector.
    heads
        Number of heads, h; they are averaged.
    hidden
        Width of the hidden layers of gate and message.
    pairs
        Attend to the elements of each element (a message layer), or once per composition (pooling).
    """

    def __init__(self, size: int, heads: int, hidden: int, *, pairs: bool) -> None:
        super().__init__()
        self.heads, self.hidden, self.pairs = heads, hidden, pairs
        self.sender = nn.Linear(size, 2 * heads * hidden)
        if pairs:
            self.receiver = nn.Linear(size, 2 * heads * hidden, bias=False)
        self.gate = nn.Parameter(torch.randn(heads, hidden) / hidden**0.5)
        self.message = nn.Linear(heads * hidden, size)
        self.power = nn.Parameter(torch.ones(heads))

    def forward(self, vectors: Tensor, log_fractions: Tensor) -> Tensor:
        """Attend.

        Parameters
        ----------
        vectors
            Shape ``(n, k, size)``.
        log_fractions
            Shape ``(n, k)``.

        Returns
        -------
        Shape ``(n, k, size)`` for messages, ``(n, size)`` for pooling.
        """
        n, k, _ = vectors.shape
        hidden = self.sender(vectors).view(n, 1, k, 2, self.heads, self.hidden)
        if self.pairs:
            own = self.receiver(vectors).view(n, k, 1, 2, self.heads, self.hidden)
            hidden = hidden + own
        gates, messages = leaky_relu(hidden, SLOPE).unbind(dim=3)
        scores = (gates * self.gate).sum(dim=-1) + self.power * log_fractions[:, None, :, None]
        weights = torch.softmax(scores, dim=2)
        summed = (weights[..., None] * messages).sum(dim=2).flatten(2) / self.heads
        out: Tensor = self.message(summed)
        return out if self.pairs else out[:, 0]


class RoostNetwork(nn.Module):
    """Means and log spreads of standardised formation energies, by reference.

    Parameters
    ----------
    size, layers, heads, hidden
        Of the messages; 64, 3, 3, 256 in the paper.
    head
        Widths of the residual output network; 1024, 512, 256, 128, 64 in the paper's code.
    n_references
        Sets of corrections, r; they share one output, plus a small correction of their own.
    """

    properties: Tensor

    def __init__(  # noqa: PLR0917 - sizes
        self,
        size: int,
        layers: int,
        heads: int,
        hidden: int,
        head: Sequence[int],
        n_references: int,
    ) -> None:
        super().__init__()
        self.n_references = n_references
        self.register_buffer("properties", torch.from_numpy(element_properties()))
        self.learned = nn.Embedding(MAX_Z + 1, size - 1)
        self.known = nn.Linear(self.properties.shape[1], size - 1)
        self.messages = nn.ModuleList(
            Attention(size, heads, hidden, pairs=True) for _ in range(layers)
        )
        self.pooling = Attention(size, heads, hidden, pairs=False)
        widths = [size, *head]
        steps = list(pairwise(widths))
        self.dense = nn.ModuleList(nn.Linear(a, b) for a, b in steps)
        self.skip = nn.ModuleList(nn.Linear(a, b, bias=False) for a, b in steps)
        self.out = nn.Linear(widths[-1], 2 * (1 + n_references))

    def forward(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Map `graph_inputs` ``(n, 2 k)`` to means and log spreads, each ``(n, r)``."""
        numbers, fractions = inputs.chunk(2, dim=1)
        counts = (fractions > 0).sum(dim=1)
        pooled = inputs.new_empty(len(inputs), self.out.in_features)
        for k in counts.unique().tolist():
            rows = torch.nonzero(counts == k)[:, 0]
            order = fractions[rows].argsort(dim=1, descending=True)[:, :k]
            pooled = pooled.index_copy(
                0,
                rows,
                self._composition(
                    numbers[rows].gather(1, order).long(), fractions[rows].gather(1, order)
                ),
            )
        out = self.out(pooled).reshape(-1, 2, 1 + self.n_references)
        mean, log_sigma = (out[:, :, :1] + REFERENCE_SCALE * out[:, :, 1:]).unbind(dim=1)
        return mean, log_sigma.clamp(*LOG_SIGMA_RANGE)

    def _composition(self, numbers: Tensor, fractions: Tensor) -> Tensor:
        """Describe compositions of k elements each, ``(n, k)``; returns ``(n, last width)``."""
        vectors = self.learned(numbers) + self.known(self.properties[numbers])
        vectors = torch.cat([vectors, fractions[:, :, None]], dim=2)
        log_fractions = fractions.log()
        for layer in self.messages:
            vectors = vectors + layer(vectors, log_fractions)
        x: Tensor = self.pooling(vectors, log_fractions)
        for dense, skip in zip(self.dense, self.skip, strict=True):
            x = torch.relu(dense(x)) + skip(x)
        return x
