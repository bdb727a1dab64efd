"""The network of Nequix (Koker et al. 2025, arXiv:2508.16067), written from its equations.

A NequIP-like equivariant potential (doi:10.1038/s41467-022-29939-5) with root-mean-square layer
normalisation. What is done here and not in the authors' package:

- the two directions of a pair share radial weights and couplings, since harmonics of degree l only
  change their sign by (-1)^l;
- harmonics and Clebsch-Gordan coefficients are contracted once for each pair and path, so that a
  message is a small matrix times the neighbour's features;
- the first layer reads rows of a table of species instead of multiplying with zeros and ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import pi, sqrt
from typing import TYPE_CHECKING, Protocol

import torch
from torch import Tensor
from torch.nn.functional import silu

from screening.engines.nequix_paths import coupling_matrix, harmonics

if TYPE_CHECKING:
    from collections.abc import Mapping

    from screening.engines.nequix_file import NequixConfig
    from screening.engines.nequix_paths import Layer

SILU_SCALE = 1.6765620560798837
"""Makes the second moment of silu(x) one for normally distributed x, as in e3nn."""
EPSILON = 1e-12
"""Keeps the normalisation of vanishing features finite."""


@dataclass(frozen=True)
class Pairs:
    """Pairs of atoms, each once, of a batch of crystals.

    Attributes
    ----------
    species
        Index of the element of each atom, shape ``(n,)``.
    centers, neighbors
        Atoms of each pair, shape ``(m,)``; an atom is paired with its own images, too.
    """

    species: Tensor
    centers: Tensor
    neighbors: Tensor


class Messenger(Protocol):
    """Function that makes and sums messages."""

    def __call__(
        self, layer: Layer, x: Tensor, weights: Tensor, couplings: Tensor, pairs: Pairs
    ) -> Tensor:
        """Sum the messages of both directions of all pairs.

        Parameters
        ----------
        layer
            The layer.
        x
            Features, shape ``(n, sum of (2l + 1) * channels)``, the channels running fastest.
        weights
            Radial weights, shape ``(m, n_weights)``.
        couplings
            Couplings from the second atom to the first, shape ``(m, n_couplings)``.
        pairs
            The pairs.

        Returns
        -------
        Shape ``(n, n_out)``.
        """
        ...


def plain_messages(
    layer: Layer, x: Tensor, weights: Tensor, couplings: Tensor, pairs: Pairs
) -> Tensor:
    """Make messages with torch's own operations: any device, any number of derivatives."""
    n, m = len(x), len(weights)
    sums = [x.new_zeros((n, 2 * degree + 1, width)) for degree, width in enumerate(layer.widths)]
    ahead, behind = x[pairs.neighbors], x[pairs.centers]
    used = [0] * len(sums)
    for path in layer.paths:
        rows, columns = 2 * path.l1 + 1, 2 * path.l3 + 1
        matrix = couplings[:, path.coupling : path.coupling + rows * columns]
        matrix = matrix.reshape(m, rows, columns).transpose(1, 2)
        weight = weights[:, None, path.weight : path.weight + path.mul]
        block = slice(path.x, path.x + rows * path.mul)
        channels = slice(used[path.l3], used[path.l3] + path.mul)
        used[path.l3] += path.mul
        toward = weight * (matrix @ ahead[:, block].reshape(m, rows, path.mul))
        away = weight * (matrix @ behind[:, block].reshape(m, rows, path.mul))
        total = x.new_zeros((n, columns, path.mul)).index_add(0, pairs.centers, toward)
        total = total.index_add(0, pairs.neighbors, away, alpha=(-1) ** path.l2)
        sums[path.l3][:, :, channels] = total
    return torch.cat([total.reshape(n, -1) for total in sums], dim=1)


class NequixNetwork:
    """Site energies of a batch of crystals.

    Parameters
    ----------
    config
        Hyperparameters.
    weights
        Arrays by the names of `NequixConfig.shapes`; read at each call: they may be trained.
    messenger
        Function that makes messages.
    couplings
        Coupling matrices of a network of the same configuration; left out: computed.
    """

    def __init__(
        self,
        config: NequixConfig,
        weights: Mapping[str, Tensor],
        messenger: Messenger = plain_messages,
        couplings: list[Tensor] | None = None,
    ) -> None:
        self.config, self.weights, self.messenger = config, weights, messenger
        self.layers = config.layers()
        like = weights["readout"].detach()
        self.couplings = couplings or [
            torch.from_numpy(coupling_matrix(layer, config.lmax)).to(like) for layer in self.layers
        ]

    def __call__(self, vectors: Tensor, pairs: Pairs) -> Tensor:
        """Compute what the network adds to shift and atomic energies.

        Parameters
        ----------
        vectors
            From the first to the second atom of each pair (Angstrom), shape ``(m, 3)``.
        pairs
            The pairs.

        Returns
        -------
        Energies (eV), shape ``(n,)``.
        """
        dtype = self.weights["readout"].dtype
        lengths = torch.linalg.vector_norm(vectors, dim=1)
        angular = harmonics(vectors / lengths[:, None], self.config.lmax).to(dtype)
        radial = self._basis(lengths).to(dtype)
        x: list[Tensor] = []
        for i in range(len(self.layers)):
            x = self._interact(i, x, (angular, radial), pairs)
        out = x[0][:, 0] @ self.weights["readout"] * (self.config.scale / sqrt(len(x[0][0, 0])))
        return out[:, 0]

    def _basis(self, lengths: Tensor) -> Tensor:
        """Bessel functions in an envelope that ends at the cutoff, ``(m, basis_size)``."""
        cutoff, p = self.config.cutoff, self.config.power
        x = lengths / cutoff
        envelope = 1 - x**p * ((p + 1) * (p + 2) / 2 - x * (p * (p + 2) - x * (p * (p + 1) / 2)))
        envelope = torch.where(x < 1, envelope, torch.zeros_like(x)) / lengths
        orders = torch.arange(1, self.config.basis_size + 1, device=x.device, dtype=x.dtype)
        return 2 / cutoff * envelope[:, None] * torch.sin(pi * x[:, None] * orders)

    def _interact(
        self,
        i: int,
        x: list[Tensor],
        edges: tuple[Tensor, Tensor],
        pairs: Pairs,
    ) -> list[Tensor]:
        """One layer: mix channels, send messages, mix again, normalise, gate."""
        layer, (angular, radial) = self.layers[i], edges
        n = len(pairs.species)
        flat = torch.cat([item.reshape(n, -1) for item in self._mix(i, layer, x, pairs)], dim=1)
        sums = self.messenger(
            layer, flat, self._radial_weights(i, radial), angular @ self.couplings[i], pairs
        )
        updated = []
        start = 0
        for degree, width in enumerate(layer.widths):
            stop = start + (2 * degree + 1) * width
            values = sums[:, start:stop].reshape(n, 2 * degree + 1, width)
            scale = 1 / sqrt(width * self.config.neighbors)
            out = values @ self._weight(i, "post", degree) * scale
            if i == 0 and degree == 0:
                rows = self._weight(i, "skip", 0)[pairs.species]
                out = out + (rows / sqrt(layer.inputs[0]))[:, None]
            elif i > 0:
                skip = self._weight(i, "skip", degree)
                out = out + x[degree] @ skip / sqrt(layer.inputs[degree])
            updated.append(out)
            start = stop
        return self._gate(layer, self._normalise(i, updated))

    def _weight(self, i: int, kind: str, k: int) -> Tensor:
        return self.weights[f"layers.{i}.{kind}.{k}"]

    def _mix(self, i: int, layer: Layer, x: list[Tensor], pairs: Pairs) -> list[Tensor]:
        """Mix the channels of each degree."""
        if i == 0:
            rows = self._weight(0, "pre", 0)[pairs.species]
            return [(rows / sqrt(layer.inputs[0]))[:, None]]
        return [
            item @ self._weight(i, "pre", degree) / sqrt(layer.inputs[degree])
            for degree, item in enumerate(x)
        ]

    def _radial_weights(self, i: int, radial: Tensor) -> Tensor:
        """Weights of all paths as functions of the distance, ``(m, n_weights)``."""
        depth = self.config.radial_depth
        for k in range(depth):
            radial = silu(radial @ self._weight(i, "radial", k))
        return radial @ self._weight(i, "radial", depth)

    def _normalise(self, i: int, x: list[Tensor]) -> list[Tensor]:
        """Divide by a root mean square over the degrees.

        As in the authors' networks, the squares of degree l are summed over channels and
        components and divided by the square of the number of components.
        """
        squares = torch.stack(
            [item.square().sum(dim=(1, 2)) / item.shape[1] ** 2 for item in x]
        ).mean(dim=0)
        inverse = torch.rsqrt(squares + EPSILON)[:, None, None]
        return [item * self._weight(i, "norm", k) * inverse for k, item in enumerate(x)]

    @staticmethod
    def _gate(layer: Layer, x: list[Tensor]) -> list[Tensor]:
        """Activate scalars; multiply the channels of higher degrees with activated scalars."""
        scalars = silu(x[0]) * SILU_SCALE
        pieces = torch.split(scalars, list(layer.hidden), dim=2)
        return [pieces[0], *(item * gate for item, gate in zip(x[1:], pieces[1:], strict=True))]
