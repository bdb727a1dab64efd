"""The networks of Cond-CDVAE: condition, encoder, lattice predictor, decoder, and the losses."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from screening.elements import MAX_Z
from screening.structure.cdvae.graph import lattice_of, nearest_image, nearest_neighbours
from screening.structure.cdvae.painn import Painn

if TYPE_CHECKING:
    from screening.structure.cdvae.data import Batch

PRESSURE_RANGE = (-2.0, 5.0)
"""Standardised pressures between which the Gaussians stand."""
LATTICE_HIDDEN, LATTICE_DROPOUT = 256, 0.2
SMALLEST_LENGTH, ANGLES = 0.5, (30.0, 150.0)
"""Limits of predicted lengths (Angstrom per cube root of the atoms) and angles (degrees)."""


@dataclass(frozen=True)
class Losses:
    """Losses of a batch, without their weights: lattice, coordinates, divergence."""

    lattice: Tensor
    coordinates: Tensor
    divergence: Tensor


class Condition(nn.Module):
    """Composition and pressure as one vector.

    Parameters
    ----------
    embedding
        Length of an element's vector.
    gaussians
        Number of Gaussians of the pressure.
    """

    def __init__(self, embedding: int, gaussians: int) -> None:
        super().__init__()
        self.elements = nn.Embedding(MAX_Z + 1, embedding)
        self.register_buffer("centres", torch.linspace(*PRESSURE_RANGE, gaussians))
        self.length = embedding + gaussians

    def forward(self, numbers: Tensor, pressures: Tensor) -> Tensor:
        """Condition ``(b, length)`` of padded atomic numbers and standard pressures ``(b,)``."""
        mask = (numbers > 0)[..., None]
        mean = (self.elements(numbers) * mask).sum(dim=1) / mask.sum(dim=1)
        centres = self.get_buffer("centres")
        width = centres[1] - centres[0]
        bells = torch.exp(-0.5 * ((pressures[:, None] - centres) / width).square())
        return torch.cat([mean, bells], dim=1)


class CondCdvae(nn.Module):
    """Encoder, lattice predictor and score decoder, all told the condition.

    Parameters
    ----------
    width, layers, latent, condition, embedding, gaussians, neighbours, cutoff
        See `CdvaeOptions`.
    levels, largest, smallest
        Geometric levels of noise (Angstrom).
    """

    def __init__(
        self,
        *,
        width: int,
        layers: int,
        latent: int,
        condition: int,
        embedding: int,
        gaussians: int,
        neighbours: int,
        cutoff: float,
        levels: int,
        largest: float,
        smallest: float,
    ) -> None:
        super().__init__()
        self.neighbours, self.cutoff, self.latent = neighbours, cutoff, latent
        self.condition = Condition(embedding, gaussians)
        told = self.condition.length
        self.atoms = nn.Embedding(MAX_Z + 1, width)
        self.encoder = Painn(width, layers, told, cutoff)
        self.mean, self.log_variance = nn.Linear(width, latent), nn.Linear(width, latent)
        self.joint = nn.Sequential(
            nn.Linear(latent + told, condition),
            nn.ReLU(),
            nn.Linear(condition, condition),
            nn.ReLU(),
            nn.Linear(condition, condition),
        )
        self.lattice = nn.Sequential(
            nn.Linear(condition, LATTICE_HIDDEN),
            nn.ReLU(),
            nn.Dropout(LATTICE_DROPOUT),
            nn.Linear(LATTICE_HIDDEN, 6),
        )
        self.decoder_atoms = nn.Embedding(MAX_Z + 1, width)
        self.decoder = Painn(width, layers, condition, cutoff)
        self.score = nn.Linear(width, 1, bias=False)
        ends = math.log10(largest), math.log10(smallest)
        self.register_buffer("sigmas", torch.logspace(ends[0], ends[1], levels))
        self.register_buffer("steps", torch.zeros((), dtype=torch.long))
        for name in ("lattice_mean", "pressure_mean"):
            self.register_buffer(name, torch.zeros(6 if name[0] == "l" else 1))
        for name in ("lattice_scale", "pressure_scale"):
            self.register_buffer(name, torch.ones(6 if name[0] == "l" else 1))

    def standardise(self, values: dict[str, Tensor]) -> None:
        """Set the statistics of the training data: mean and scale of lattices and pressures."""
        for name, value in values.items():
            self.get_buffer(name).copy_(value)

    def conditions(self, batch: Batch) -> Tensor:
        """Condition of each crystal ``(b, c)``."""
        mean, scale = self.get_buffer("pressure_mean"), self.get_buffer("pressure_scale")
        told: Tensor = self.condition(batch.numbers, (batch.pressures - mean) / scale)
        return told

    def encode(self, batch: Batch, told: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and logarithm of the variance of z, each ``(b, latent)``."""
        mask = batch.numbers > 0
        graph = nearest_neighbours(batch.lattices, batch.points, mask, self.neighbours, self.cutoff)
        crystals = batch.crystal_of_atom()
        scalars, _ = self.encoder(self.atoms(batch.numbers[mask]), told[crystals], graph)
        pooled = scalars.new_zeros(len(told), scalars.shape[1]).index_add(0, crystals, scalars)
        pooled = torch.tanh(pooled / mask.sum(dim=1, keepdim=True))
        return self.mean(pooled), self.log_variance(pooled).clamp(max=10.0)

    def join(self, z: Tensor, told: Tensor) -> Tensor:
        """Latent vector and condition together ``(b, condition)``."""
        joint: Tensor = self.joint(torch.cat([z, told], dim=1))
        return joint

    def predict_lattice(self, joint: Tensor, n_atoms: Tensor) -> tuple[Tensor, Tensor]:
        """Standardised parameters ``(b, 6)`` and lattice rows ``(b, 3, 3)`` (Angstrom)."""
        predicted = self.lattice(joint)
        mean, scale = self.get_buffer("lattice_mean"), self.get_buffer("lattice_scale")
        plain = predicted * scale + mean
        lengths = plain[:, :3].clamp(min=SMALLEST_LENGTH) * n_atoms[:, None] ** (1 / 3)
        parameters = torch.cat([lengths, plain[:, 3:].clamp(*ANGLES)], dim=1)
        return predicted, lattice_of(parameters)

    def decode(self, batch: Batch, lattices: Tensor, points: Tensor, joint: Tensor) -> Tensor:
        """Score of each atom ``(m, 3)``: the way back in units of the noise."""
        mask = batch.numbers > 0
        graph = nearest_neighbours(lattices, points, mask, self.neighbours, self.cutoff)
        start = self.decoder_atoms(batch.numbers[mask])
        _, vectors = self.decoder(start, joint[batch.crystal_of_atom()], graph)
        score: Tensor = self.score(vectors)[..., 0]
        return score

    def losses(self, batch: Batch, *, teacher: bool) -> Losses:
        """Losses of a batch; random z and noise.

        Parameters
        ----------
        batch
            Crystals.
        teacher
            Whether the noisy atoms lie in the true lattice; otherwise in the predicted one. The way
            back is that in the true lattice in either case.
        """
        told = self.conditions(batch)
        mean, log_variance = self.encode(batch, told)
        z = mean + torch.randn_like(mean) * torch.exp(0.5 * log_variance)
        divergence = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(dim=1)
        joint = self.join(z, told)
        n_atoms = (batch.numbers > 0).sum(dim=1)
        predicted, lattices = self.predict_lattice(joint, n_atoms)
        shift, scale = self.get_buffer("lattice_mean"), self.get_buffer("lattice_scale")
        wanted = (batch.parameters() - shift) / scale
        return Losses(
            (predicted - wanted).square().mean(),
            self._coordinate_loss(batch, batch.lattices if teacher else lattices.detach(), joint),
            divergence.mean(),
        )

    def _coordinate_loss(self, batch: Batch, lattices: Tensor, joint: Tensor) -> Tensor:
        mask, crystals = batch.numbers > 0, batch.crystal_of_atom()
        sigmas = self.get_buffer("sigmas")
        level = torch.randint(len(sigmas), (len(batch.numbers),), device=sigmas.device)
        sigma = sigmas[level]
        noise = torch.randn_like(batch.points) * sigma[:, None, None]
        noisy = batch.points + noise @ torch.linalg.inv(batch.lattices)
        score = self.decode(batch, lattices, noisy, joint)
        back = nearest_image((batch.points - noisy)[mask], batch.lattices[crystals])
        target = back / sigma[crystals, None]
        return 0.5 * (score - target).square().sum(dim=1).mean()


def make_network(arguments: dict[str, Any]) -> CondCdvae:
    """Make the network of a checkpoint or a training."""
    return CondCdvae(**arguments)
