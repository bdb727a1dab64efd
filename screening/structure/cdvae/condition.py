"""What the networks are told of a crystal: composition, size and pressure; and the prior of z."""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from screening.elements import MAX_Z
from screening.features import MAGPIE_PROPERTIES
from screening.features.table import imputed

Prior = Literal["normal", "mixture"]
PRESSURE_RANGE = (-2.0, 5.0)
"""Standardised pressures between which the Gaussians stand."""
MOST_ATOMS = 60
_COUNT, _SHARES = 16, 6
_HIDDEN = 128
_NOISE = 0.3
_DROPOUT = 0.1
_LOG_VARIANCES = (-5.0, 4.0)


def element_vectors(length: int) -> Tensor:
    """Random combinations of the elements' properties: a start that knows which are alike.

    A little noise tells all of them apart.

    Returns
    -------
    Of unit variance, ``(104, length)``; row 0, padding, is as the mean of all.
    """
    table = np.stack([imputed(f"magpie_{name}") for name in MAGPIE_PROPERTIES], axis=1)
    known = table[1:]
    standard = torch.from_numpy((table - known.mean(axis=0)) / known.std(axis=0)).float()
    mixed = standard @ torch.randn(standard.shape[1], length)
    mixed = mixed / mixed[1:].std(dim=0) + _NOISE * torch.randn(mixed.shape)
    return mixed / mixed[1:].std(dim=0)


class Condition(nn.Module):
    """Composition and pressure as one vector, and the size of the cell if wanted.

    Parameters
    ----------
    embedding
        Length of an element's vector.
    gaussians
        Number of Gaussians of the pressure.
    counts
        Whether the number of atoms and the shares of the elements, in falling order, are told.
    """

    def __init__(self, embedding: int, gaussians: int, *, counts: bool) -> None:
        super().__init__()
        self.elements = nn.Embedding.from_pretrained(element_vectors(embedding), freeze=False)
        self.register_buffer("centres", torch.linspace(*PRESSURE_RANGE, gaussians))
        self.atoms = nn.Embedding(MOST_ATOMS + 1, _COUNT) if counts else None
        self.length = embedding + gaussians + (_COUNT + _SHARES) * counts

    def forward(self, numbers: Tensor, pressures: Tensor) -> Tensor:
        """Condition ``(b, length)`` of padded atomic numbers and standard pressures ``(b,)``."""
        mask = (numbers > 0)[..., None]
        n_atoms = mask.sum(dim=1)
        mean = (self.elements(numbers) * mask).sum(dim=1) / n_atoms
        centres = self.get_buffer("centres")
        width = centres[1] - centres[0]
        bells = torch.exp(-0.5 * ((pressures[:, None] - centres) / width).square())
        told = [mean, bells]
        if self.atoms is not None:
            told += [self.atoms(n_atoms[:, 0]), _shares(numbers) / n_atoms]
        return torch.cat(told, dim=1)


def _shares(numbers: Tensor) -> Tensor:
    """Atoms of the commonest elements, in falling order, ``(b, _SHARES)``."""
    counts = torch.zeros(len(numbers), MAX_Z + 1, device=numbers.device)
    counts.scatter_add_(1, numbers, (numbers > 0).float())
    return counts.topk(_SHARES, dim=1).values


class NormalPrior(nn.Module):
    """The paper's: independent normal numbers, whatever the condition."""

    def __init__(self, latent: int) -> None:
        super().__init__()
        self.latent = latent

    def divergence(self, z: Tensor, mean: Tensor, log_variance: Tensor, told: Tensor) -> Tensor:
        """Kullback-Leibler divergence of the posterior (nats), ``(b,)``."""
        del z, told
        return 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(dim=1)

    def draw(self, told: Tensor, random: torch.Generator) -> Tensor:
        """Draw one z for each condition ``(b, latent)``."""
        return torch.randn(len(told), self.latent, generator=random)


class MixturePrior(nn.Module):
    """A mixture of Gaussians that a network reads off the condition (after Sohn et al. 2015).

    https://papers.nips.cc/paper/5775. What a composition may be has several modes; a z that is
    drawn for a composition should be one that the encoder would give to one of its crystals.

    Parameters
    ----------
    told
        Length of the condition.
    latent
        Length of z.
    components
        Gaussians.
    """

    def __init__(self, told: int, latent: int, components: int) -> None:
        super().__init__()
        self.latent, self.components = latent, components
        self.net = nn.Sequential(
            nn.LayerNorm(told),
            nn.Linear(told, _HIDDEN),
            nn.SiLU(),
            nn.Dropout(_DROPOUT),
            nn.Linear(_HIDDEN, _HIDDEN),
            nn.SiLU(),
            nn.Dropout(_DROPOUT),
            nn.Linear(_HIDDEN, components * (2 * latent + 1)),
        )
        self.centres = nn.Parameter(torch.randn(components, latent))

    def _parts(self, told: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Logarithms of weights ``(b, c)``, means and log variances ``(b, c, latent)``."""
        out = self.net(told).reshape(len(told), self.components, -1)
        means = out[..., 1 : 1 + self.latent] + self.centres
        return (
            out[..., 0].log_softmax(dim=1),
            means,
            out[..., 1 + self.latent :].clamp(*_LOG_VARIANCES),
        )

    def divergence(self, z: Tensor, mean: Tensor, log_variance: Tensor, told: Tensor) -> Tensor:
        """Kullback-Leibler divergence of the posterior (nats), estimated at `z`, ``(b,)``."""
        weights, means, log_variances = self._parts(told)
        own = -0.5 * ((z - mean).square() / log_variance.exp() + log_variance).sum(dim=1)
        away = (z[:, None] - means).square() / log_variances.exp() + log_variances
        return own - (weights - 0.5 * away.sum(dim=2)).logsumexp(dim=1)

    def draw(self, told: Tensor, random: torch.Generator) -> Tensor:
        """Draw one z for each condition ``(b, latent)``."""
        weights, means, log_variances = self._parts(told)
        chosen = torch.multinomial(weights.exp(), 1, generator=random)[:, 0]
        rows = torch.arange(len(told))
        noise = torch.randn(len(told), self.latent, generator=random)
        return means[rows, chosen] + noise * (0.5 * log_variances[rows, chosen]).exp()


def make_prior(kind: Prior, told: int, latent: int, components: int) -> NormalPrior | MixturePrior:
    """Make the prior of z."""
    return NormalPrior(latent) if kind == "normal" else MixturePrior(told, latent, components)
