"""The networks of Ryan et al. 2018 (doi:10.1021/jacs.8b03913): an autoencoder, two classifiers.

A variational autoencoder (Kingma & Welling 2013, arXiv:1312.6114) of 1D convolutions brings a
fingerprint to 64 numbers. From them and the relative size of the site, the site classifier tells
which elements suit the topology; from its output and the distance to the nearest atom, the size
classifier tells which element it is. Hidden layers have exponential linear units; the latent and
the output layers are linear.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from screening.elements import MAX_Z
from screening.site_likelihood.site_descriptors import PERSPECTIVES, POINTS

if TYPE_CHECKING:
    from collections.abc import Sequence

HEAD_LAYERS = 5
KERNEL = 5


def _between(dropout: float) -> list[nn.Module]:
    """Make what follows a hidden layer."""
    return [nn.ELU(), *([nn.Dropout(dropout)] if dropout else [])]


def _head(n_inputs: int, width: int, dropout: float) -> nn.Sequential:
    """Five layers to one logit per atomic number; 0 stands for none."""
    layers: list[nn.Module] = []
    for a, b in pairwise([n_inputs, *[width] * (HEAD_LAYERS - 1)]):
        layers += [nn.Linear(a, b), *_between(dropout)]
    return nn.Sequential(*layers, nn.Linear(width, MAX_Z + 1))


class SiteEncoder(nn.Module):
    """Fingerprints to means and log variances of the latent variables.

    Parameters
    ----------
    latent
        Number of latent variables, l.
    channels
        Channels after each convolution; the first has stride 4, the others 2.
    dropout
        Dropout after each hidden layer.
    """

    def __init__(self, latent: int, channels: Sequence[int], dropout: float) -> None:
        super().__init__()
        first, *others = channels
        layers: list[nn.Module] = [nn.Conv1d(PERSPECTIVES, first, 8, stride=4, padding=2)]
        for a, b in pairwise((first, *others)):
            layers += [*_between(dropout), nn.Conv1d(a, b, KERNEL, stride=2, padding=KERNEL // 2)]
        self.layers = nn.Sequential(*layers, *_between(dropout), nn.Flatten())
        self.out = nn.Linear(channels[-1] * _length(channels), 2 * latent)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Map ``(n, 12, 256)`` to two ``(n, l)``."""
        mean, log_variance = self.out(self.layers(x)).chunk(2, dim=1)
        return mean, log_variance.clamp(-8, 4)


class SiteDecoder(nn.Module):
    """Latent variables to fingerprints, the encoder backwards; see there for the parameters."""

    def __init__(self, latent: int, channels: Sequence[int], dropout: float) -> None:
        super().__init__()
        self.length = _length(channels)
        self.start = nn.Linear(latent, channels[-1] * self.length)
        layers: list[nn.Module] = []
        for a, b in pairwise(reversed(channels)):
            up = nn.ConvTranspose1d(a, b, KERNEL, stride=2, padding=KERNEL // 2, output_padding=1)
            layers += [*_between(dropout), up]
        last = nn.ConvTranspose1d(channels[0], PERSPECTIVES, 8, stride=4, padding=2)
        self.layers = nn.Sequential(*layers, *_between(dropout), last)

    def forward(self, latent: Tensor) -> Tensor:
        """Map ``(n, l)`` to ``(n, 12, 256)``."""
        x: Tensor = self.layers(self.start(latent).view(len(latent), -1, self.length))
        return x


def _length(channels: Sequence[int]) -> int:
    """Points that are left after the convolutions."""
    return POINTS // 4 >> (len(channels) - 1)


class SiteNetwork(nn.Module):
    """Everything that is needed to tell which elements suit a site.

    Parameters
    ----------
    latent
        Number of latent variables.
    width
        Width of the classifiers.
    channels
        Of the convolutions, see `SiteEncoder`.
    dropout
        Dropout after each hidden layer.
    latent_size
        Whether the size classifier sees the latent variables too (the paper: no).
    """

    def __init__(
        self,
        latent: int,
        width: int,
        channels: Sequence[int],
        *,
        dropout: float = 0.0,
        latent_size: bool = True,
    ) -> None:
        super().__init__()
        self.offset = nn.Parameter(torch.zeros(PERSPECTIVES, POINTS))
        self.scale = nn.Parameter(torch.ones(PERSPECTIVES, POINTS))
        self.encoder = SiteEncoder(latent, channels, dropout)
        self.site = _head(latent + 1, width, dropout)
        self.latent, self.latent_size = latent, latent_size
        n_inputs = MAX_Z + 2 + (latent if latent_size else 0)
        self.norm = nn.BatchNorm1d(n_inputs)
        self.size = _head(n_inputs, width, dropout)

    @torch.no_grad()
    def standardise(self, examples: Tensor) -> None:
        """Start offset and scale from the mean and spread of examples, ``(n, 12, 256)``."""
        self.offset.copy_(examples.mean(dim=0))
        self.scale.copy_(examples.std(dim=0).clamp_min(1e-2))

    def encode(self, fingerprints: Tensor) -> tuple[Tensor, Tensor]:
        """Means and log variances of the latent variables, two ``(n, l)``."""
        means: tuple[Tensor, Tensor] = self.encoder((fingerprints - self.offset) / self.scale)
        return means

    def classify(self, latent: Tensor, ratios: Tensor) -> Tensor:
        """Logits of the elements from the topology alone, ``(n, 104)``.

        Parameters
        ----------
        latent
            Shape ``(n, l)``.
        ratios
            Smallest distance in the crystal over the site's, shape ``(n,)``.
        """
        logits: Tensor = self.site(torch.cat([latent, ratios[:, None]], dim=1))
        return logits

    def refine(self, latent: Tensor, logits: Tensor, nearest: Tensor) -> Tensor:
        """Logits of the elements with the size of the site, ``(n, 104)``.

        Parameters
        ----------
        latent, logits
            What `encode` and `classify` give.
        nearest
            Distance to the nearest atom (Angstrom), shape ``(n,)``.
        """
        known = [logits, nearest[:, None], *([latent] if self.latent_size else [])]
        refined: Tensor = self.size(self.norm(torch.cat(known, dim=1)))
        return refined


class Autoencoder(nn.Module):
    """A network with the decoder and the count of steps, which only training needs."""

    steps: Tensor

    def __init__(
        self, network: SiteNetwork, latent: int, channels: Sequence[int], dropout: float
    ) -> None:
        super().__init__()
        self.network = network
        self.decoder = SiteDecoder(latent, channels, dropout)
        self.register_buffer("steps", torch.zeros((), dtype=torch.float64))

    def loss(self, x: Tensor, latent: Tensor, mean: Tensor, log_variance: Tensor) -> Tensor:
        """Negative evidence lower bound, mean of the rows.

        Its divergence counts 0.01 at the first step and 0.001 more at each step, until it counts 1.

        Parameters
        ----------
        x
            Fingerprints, shape ``(n, 12, 256)``.
        latent, mean, log_variance
            What was drawn, and from which distributions, shape ``(n, l)``.
        """
        network = self.network
        error = self.decoder(latent) - (x - network.offset) / network.scale
        divergence = 0.5 * (mean**2 + log_variance.exp() - 1 - log_variance).sum(dim=1)
        weight = (0.01 + 0.001 * self.steps).clamp_max(1.0).to(x.dtype)
        self.steps += self.training
        bound: Tensor = 0.5 * (error**2).sum(dim=(1, 2)) + weight * divergence
        return bound.mean()
