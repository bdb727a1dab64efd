"""The networks of Cond-CDVAE: encoder, lattice predictor, decoder, and the losses."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from screening.structure.cdvae.condition import Condition, Prior, element_vectors, make_prior
from screening.structure.cdvae.graph import lattice_of, nearest_image, nearest_neighbours
from screening.structure.cdvae.painn import Painn

if TYPE_CHECKING:
    from screening.structure.cdvae.data import Batch

LATTICE_HIDDEN = 256
SMALLEST_LENGTH, ANGLES = 0.5, (30.0, 150.0)
"""Limits of predicted lengths (Angstrom per cube root of the atoms) and angles (degrees)."""
LOG_VOLUMES = (0.7, 6.2)
"""Limits of predicted logarithms of the volume per atom (Angstrom^3)."""
STIFFNESS = 100.0
"""Bulk modulus from which the training starts (GPa)."""
STIFFENING = 4.0
"""Derivative of the bulk modulus by the pressure in Murnaghan's equation."""
_WAVES = 8


@dataclass(frozen=True)
class Losses:
    """Losses of a batch, without their weights.

    Attributes
    ----------
    lattice
        Mean square of standardised lengths and angles, and of the logarithm of the volume.
    coordinates
        Half the square of the error of the score, mean over atoms.
    still
        What `coordinates` would be for a score of zero.
    divergence
        Of z from its prior (nats).
    """

    lattice: Tensor
    coordinates: Tensor
    still: Tensor
    divergence: Tensor


class CondCdvae(nn.Module):
    """Encoder, lattice predictor and score decoder, all told the condition.

    Parameters
    ----------
    width, layers, encoder_layers, latent, condition, embedding, gaussians, neighbours, cutoff
        See `CdvaeOptions`.
    radial, sent, prior, components, counts, tell_lattice, volume, compression, dropout
        See `CdvaeOptions`.
    tell_noise, centred
        See `CdvaeOptions`.
    levels, largest, smallest
        Geometric levels of noise (Angstrom).
    """

    def __init__(
        self,
        *,
        width: int,
        layers: int,
        encoder_layers: int,
        latent: int,
        condition: int,
        embedding: int,
        gaussians: int,
        neighbours: int,
        cutoff: float,
        radial: int,
        sent: int,
        prior: Prior,
        components: int,
        counts: bool,
        tell_lattice: bool,
        volume: bool,
        compression: bool,
        dropout: float,
        tell_noise: bool,
        centred: bool,
        levels: int,
        largest: float,
        smallest: float,
    ) -> None:
        super().__init__()
        self.neighbours, self.cutoff = neighbours, cutoff
        self.tell_noise, self.centred = tell_noise, centred
        self.condition = Condition(embedding, gaussians, counts=counts)
        told = self.condition.length
        self.prior = make_prior(prior, told, latent, components)
        self.atoms = nn.Embedding.from_pretrained(element_vectors(width), freeze=False)
        near: dict[str, Any] = {"cutoff": cutoff, "radial": radial, "sent": sent}
        self.encoder = Painn(width, encoder_layers, told, **near)
        self.cell = nn.Linear(7, width) if tell_lattice else None
        self.read = nn.Sequential(nn.Linear(width, width), nn.SiLU(), nn.Linear(width, 2 * latent))
        steps = [nn.Linear(n, condition) for n in (latent + told, condition, condition)]
        self.joint = nn.Sequential(steps[0], nn.ReLU(), steps[1], nn.ReLU(), steps[2])
        self.lattice = nn.Sequential(
            nn.Linear(condition, LATTICE_HIDDEN),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(LATTICE_HIDDEN, 7 if volume else 6),
        )
        self.stiffness = nn.Linear(condition, 1) if compression else None
        self.decoder_atoms = nn.Embedding.from_pretrained(element_vectors(width), freeze=False)
        context = condition + 2 * _WAVES * tell_noise
        self.decoder = Painn(width, layers, context, **near)
        self.score = nn.Linear(width, 1, bias=False)
        self.volume = volume
        self._keep(levels, largest, smallest)

    def _keep(self, levels: int, largest: float, smallest: float) -> None:
        """Register what is not learned: noise, steps done, statistics of the data."""
        ends = math.log10(largest), math.log10(smallest)
        self.register_buffer("sigmas", torch.logspace(ends[0], ends[1], levels))
        self.register_buffer("steps", torch.zeros((), dtype=torch.long))
        for name, length in (("lattice", 7), ("pressure", 1)):
            self.register_buffer(f"{name}_mean", torch.zeros(length))
            self.register_buffer(f"{name}_scale", torch.ones(length))

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
        pooled = pooled / mask.sum(dim=1, keepdim=True)
        if self.cell is not None:
            pooled = pooled + self.cell(self._standard(batch))
        mean, log_variance = self.read(torch.tanh(pooled)).chunk(2, dim=1)
        return mean, log_variance.clamp(-10.0, 10.0)

    def join(self, z: Tensor, told: Tensor) -> Tensor:
        """Latent vector and condition together ``(b, condition)``."""
        joint: Tensor = self.joint(torch.cat([z, told], dim=1))
        return joint

    def _standard(self, batch: Batch) -> Tensor:
        """Standardised true lattice: lengths, angles, logarithm of the volume, ``(b, 7)``."""
        mean, scale = self.get_buffer("lattice_mean"), self.get_buffer("lattice_scale")
        standard: Tensor = (batch.parameters() - mean) / scale
        return standard

    def predict_lattice(self, joint: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        """Standardised lattice as `_standard`, or without volume, and lattice rows (Angstrom)."""
        out = self.lattice(joint)
        used = slice(out.shape[1])
        mean = self.get_buffer("lattice_mean")[used]
        scale = self.get_buffer("lattice_scale")[used]
        plain = out * scale + mean
        if self.stiffness is not None:
            shrinkage = self._shrinkage(joint, batch.pressures)
            lengths, rest = plain[:, :3] * shrinkage, plain[:, 3:]
            if self.volume:
                rest = torch.cat([rest[:, :3], rest[:, 3:] + 3 * shrinkage.log()], dim=1)
            plain = torch.cat([lengths, rest], dim=1)
        n_atoms = (batch.numbers > 0).sum(dim=1, keepdim=True)
        lengths = plain[:, :3].clamp(min=SMALLEST_LENGTH) * n_atoms ** (1 / 3)
        rows = lattice_of(torch.cat([lengths, plain[:, 3:6].clamp(*ANGLES)], dim=1))
        if self.volume:
            wanted = plain[:, 6].clamp(*LOG_VOLUMES).exp() * n_atoms[:, 0]
            rows = rows * (wanted / torch.linalg.det(rows))[:, None, None] ** (1 / 3)
        return (plain - mean) / scale, rows

    def _shrinkage(self, joint: Tensor, pressures: Tensor) -> Tensor:
        """Shrink lengths under pressure by these factors, ``(b, 1)``.

        Murnaghan 1944, doi:10.1073/pnas.30.9.244, with a bulk modulus that is learned.
        """
        assert self.stiffness is not None
        moduli = STIFFNESS * self.stiffness(joint).clamp(-4, 4).exp()
        strained = 1 + STIFFENING * pressures[:, None] / moduli
        return torch.pow(strained.clamp(min=0.2), -1 / (3 * STIFFENING))

    def decode(
        self, batch: Batch, lattices: Tensor, points: Tensor, joint: Tensor, sigmas: Tensor
    ) -> Tensor:
        """Score of each atom ``(m, 3)``: the way back in units of the noise `sigmas` ``(b,)``."""
        mask = batch.numbers > 0
        graph = nearest_neighbours(lattices, points, mask, self.neighbours, self.cutoff)
        start = self.decoder_atoms(batch.numbers[mask])
        if self.tell_noise:
            waves = sigmas.log()[:, None] * torch.arange(1, _WAVES + 1, device=sigmas.device) * 0.4
            joint = torch.cat([joint, waves.sin(), waves.cos()], dim=1)
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
        divergence = self.prior.divergence(z, mean, log_variance, told)
        joint = self.join(z, told)
        predicted, lattices = self.predict_lattice(joint, batch)
        wanted = self._standard(batch)[:, : predicted.shape[1]]
        return Losses(
            (predicted - wanted).square().mean(),
            *self._coordinate_loss(batch, batch.lattices if teacher else lattices.detach(), joint),
            divergence.mean(),
        )

    def _coordinate_loss(
        self, batch: Batch, lattices: Tensor, joint: Tensor
    ) -> tuple[Tensor, Tensor]:
        mask, crystals = batch.numbers > 0, batch.crystal_of_atom()
        sigmas = self.get_buffer("sigmas")
        level = torch.randint(len(sigmas), (len(batch.numbers),), device=sigmas.device)
        sigma = sigmas[level]
        noise = torch.randn_like(batch.points) * sigma[:, None, None]
        if self.centred:
            kept = noise * mask[..., None]
            noise = noise - kept.sum(dim=1, keepdim=True) / mask.sum(dim=1)[:, None, None]
        noisy = batch.points + noise @ torch.linalg.inv(batch.lattices)
        score = self.decode(batch, lattices, noisy, joint, sigma)
        back = nearest_image((batch.points - noisy)[mask], batch.lattices[crystals])
        target = back / sigma[crystals, None]
        wrong, still = (0.5 * x.square().sum(dim=1).mean() for x in (score - target, target))
        return wrong, still


def make_network(arguments: dict[str, Any]) -> CondCdvae:
    """Make the network of a checkpoint or a training."""
    return CondCdvae(**arguments)
