"""Generators and critics of MatGAN: Dan et al. 2020, doi:10.1038/s41524-020-00352-0.

`ConvGenerator` and `ConvCritic` are the networks of the authors' release (ICSD and MP size).
`SlotGenerator` and `DenseCritic` make and judge the same 85 x 8 cells, but the cells are the sum of
a few slots that each choose one element (or none) and one amount by a softmax with straight-through
Gumbel noise (Jang et al. 2017, arXiv:1611.01144), so that every sample is a composition of few
elements from the first step on. The critic may judge several samples together (PacGAN, Lin et al.
2018, arXiv:1712.04086). All critics are free of batch statistics unless the authors' settings ask
for them: the penalty on the gradient of each sample (Gulrajani et al. 2017, arXiv:1704.00028) has
no meaning with them.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

N_ELEMENTS = 85
N_AMOUNTS = 8


def hard_choice(logits: Tensor, noise: float, rng: torch.Generator) -> Tensor:
    """Choose one entry of the last axis; the gradient is that of the softmax.

    Parameters
    ----------
    logits
        Any shape.
    noise
        Scale of the Gumbel noise; 1 samples the softmax, 0 takes the largest.
    rng
        Random numbers, on the device of `logits`.

    Returns
    -------
    One-hot rows, shape of `logits`.
    """
    if noise:
        logits = logits - noise * torch.empty_like(logits).exponential_(generator=rng).log()
    choice = logits.argmax(dim=-1, keepdim=True)
    hard = torch.zeros_like(logits).scatter_(-1, choice, 1.0)
    if not logits.requires_grad:
        return hard
    soft = logits.softmax(dim=-1)
    return hard + soft - soft.detach()


class SlotGenerator(nn.Module):
    """A dense network from a latent vector to slots.

    Parameters
    ----------
    latent
        Length of the latent vector.
    width
        Hidden width.
    slots
        Number of slots.
    noise
        Scale of the Gumbel noise.
    """

    def __init__(self, latent: int, width: int, slots: int, noise: float) -> None:
        super().__init__()
        self.slots = slots
        self.noise = noise
        self.latent = latent
        self.layers = nn.Sequential(
            nn.Linear(latent, width),
            nn.LayerNorm(width),
            nn.ReLU(),
            nn.Linear(width, width),
            nn.LayerNorm(width),
            nn.ReLU(),
            nn.Linear(width, slots * (1 + N_ELEMENTS + N_AMOUNTS)),
        )

    def logits(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Score the choices of each slot.

        Parameters
        ----------
        z
            Latent vectors, shape ``(n, latent)``.

        Returns
        -------
        Scores of "no element" and the 85 elements, shape ``(n, slots, 86)``, and of the amounts
        1 to 8, shape ``(n, slots, 8)``.
        """
        scores = self.layers(z).view(len(z), self.slots, 1 + N_ELEMENTS + N_AMOUNTS)
        return scores[..., : 1 + N_ELEMENTS], scores[..., 1 + N_ELEMENTS :]

    def cells(self, scores: tuple[Tensor, Tensor], rng: torch.Generator) -> Tensor:
        """Choose elements and amounts, shape ``(n, 85, 8)``; see `logits` and `hard_choice`."""
        elements = hard_choice(scores[0], self.noise, rng)[..., 1:]
        amounts = hard_choice(scores[1], self.noise, rng)
        return torch.einsum("nse,nsa->nea", elements, amounts)

    def forward(self, z: Tensor, rng: torch.Generator) -> Tensor:
        """Make cells, shape ``(n, 85, 8)``, from latent vectors, shape ``(n, latent)``."""
        return self.cells(self.logits(z), rng)


class DenseCritic(nn.Module):
    """Two hidden layers on the flattened cells of `pac` samples."""

    def __init__(self, width: int, pac: int) -> None:
        super().__init__()
        self.inputs = N_ELEMENTS * N_AMOUNTS * pac
        self.layers = nn.Sequential(
            nn.Linear(self.inputs, width),
            nn.LeakyReLU(0.2),
            nn.Linear(width, width),
            nn.LeakyReLU(0.2),
            nn.Linear(width, 1),
        )

    def forward(self, cells: Tensor) -> Tensor:
        """Judge cells, shape ``(n, 85, 8)``: one number for each `pac` samples."""
        verdict: Tensor = self.layers(cells.reshape(-1, self.inputs))
        return verdict[:, 0]


class ConvGenerator(nn.Module):
    """The authors' generator: four deconvolutions from 6 x 4 to 85 x 8 sigmoids."""

    def __init__(self, latent: int) -> None:
        super().__init__()
        self.latent = latent
        self.dense = nn.Linear(latent, 128 * 6 * 4)
        self.layers = nn.Sequential(
            nn.BatchNorm2d(128),
            nn.ReLU(),
            nn.ConvTranspose2d(128, 64, 5, stride=(2, 2), padding=2, output_padding=(0, 1)),
            nn.BatchNorm2d(64),
            nn.ReLU(),
            nn.ConvTranspose2d(64, 32, 3, stride=(2, 1), padding=1, output_padding=(1, 0)),
            nn.BatchNorm2d(32),
            nn.ReLU(),
            nn.ConvTranspose2d(32, 16, 3, stride=(2, 1), padding=1),
            nn.BatchNorm2d(16),
            nn.ReLU(),
            nn.ConvTranspose2d(16, 1, 3, stride=(2, 1), padding=1),
            nn.Sigmoid(),
        )

    def forward(self, z: Tensor, rng: torch.Generator) -> Tensor:  # noqa: ARG002 - one signature
        """Make cells between 0 and 1, shape ``(n, 85, 8)``, from latent vectors."""
        cells: Tensor = self.layers(self.dense(z).view(-1, 128, 6, 4))
        return cells[:, 0]


class ConvCritic(nn.Module):
    """The authors' critic: five convolutions and a linear layer.

    Parameters
    ----------
    batch_norm
        Normalise over the batch from the second convolution on, as the authors do, instead of over
        the features of each sample.
    """

    SHAPES = ((16, 43, 8), (32, 43, 8), (64, 43, 8), (128, 22, 4))

    def __init__(self, *, batch_norm: bool) -> None:
        super().__init__()
        strides = ((2, 1), (1, 1), (1, 1), (2, 2))
        kernels = (3, 3, 3, 5)
        layers: list[nn.Module] = [nn.Conv2d(1, 16, 3, padding=1), nn.LeakyReLU(0.2)]
        channels = 16
        for shape, stride, kernel in zip(self.SHAPES, strides, kernels, strict=True):
            layers += [
                nn.Conv2d(channels, shape[0], kernel, stride=stride, padding=kernel // 2),
                nn.BatchNorm2d(shape[0]) if batch_norm else nn.LayerNorm(shape),
                nn.LeakyReLU(0.2),
            ]
            channels = shape[0]
        self.layers = nn.Sequential(*layers, nn.Flatten(), nn.Linear(128 * 22 * 4, 1))

    def forward(self, cells: Tensor) -> Tensor:
        """Judge cells, shape ``(n, 85, 8)``: one number for each sample."""
        verdict: Tensor = self.layers(cells[:, None])
        return verdict[:, 0]


def gradient_penalty(critic: nn.Module, real: Tensor, fake: Tensor, rng: torch.Generator) -> Tensor:
    """Mean squared deviation from 1 of the critic's slope between real and fake cells.

    Parameters
    ----------
    critic
        A critic.
    real, fake
        Cells, shape ``(n, 85, 8)``; `n` is a multiple of the critic's `pac`.
    rng
        Random numbers.
    """
    n_judged = len(real) // (getattr(critic, "inputs", 680) // 680)
    share = torch.rand(n_judged, generator=rng, device=real.device)
    share = share.repeat_interleave(len(real) // n_judged)[:, None, None]
    between = (share * real + (1 - share) * fake).requires_grad_()
    (slope,) = torch.autograd.grad(critic(between).sum(), between, create_graph=True)
    norm: Tensor = slope.reshape(n_judged, -1).norm(dim=1)
    return ((norm - 1) ** 2).mean()


def use_normal_weights(module: nn.Module, rng: torch.Generator) -> None:
    """Draw all weights of (de)convolutions and dense layers from N(0, 1), biases zero."""
    for layer in module.modules():
        if isinstance(layer, (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)):
            nn.init.normal_(layer.weight, generator=rng)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
