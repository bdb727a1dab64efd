"""The trunk that the small networks on composition descriptors share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import nn

if TYPE_CHECKING:
    from numpy.typing import NDArray

CLIP = 8.0
"""Standardised inputs are clipped here: a rare element must not throw the network off."""


class FeatureTrunk(nn.Module):
    """Standardisation and a residual multilayer perceptron.

    Parameters
    ----------
    n_inputs
        Number of descriptors.
    width
        Width of all layers.
    blocks
        Residual blocks of two layers each.
    dropout
        Share of values dropped in training inside the blocks only: what is dropped between them
        would limit the precision of a regression.
    """

    mean: torch.Tensor
    scale: torch.Tensor

    def __init__(self, n_inputs: int, width: int, blocks: int, dropout: float) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(n_inputs))
        self.register_buffer("scale", torch.ones(n_inputs))
        self.first = nn.Linear(n_inputs, width)
        self.blocks = nn.ModuleList(
            nn.Sequential(
                nn.LayerNorm(width),
                nn.Linear(width, width),
                nn.SiLU(),
                nn.Dropout(dropout),
                nn.Linear(width, width),
            )
            for _ in range(blocks)
        )

    def standardise(self, inputs: NDArray[Any]) -> None:
        """Take mean and scale from training inputs ``(n, n_inputs)``; constant columns stay."""
        scale = inputs.std(axis=0)
        scale[scale < 1e-4] = 1.0
        self.mean.copy_(torch.from_numpy(inputs.mean(axis=0)))
        self.scale.copy_(torch.from_numpy(scale))

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Map descriptors ``(n, n_inputs)`` to hidden values ``(n, width)``."""
        x = ((inputs - self.mean) / self.scale).clamp(-CLIP, CLIP)
        x = nn.functional.silu(self.first(x))
        for block in self.blocks:
            x = x + block(x)
        hidden: torch.Tensor = nn.functional.silu(x)
        return hidden


def export(model: nn.Module, prefix: str = "") -> dict[str, NDArray[Any]]:
    """Weights for a checkpoint: learned tensors in half precision, buffers as they are."""
    tensors = {}
    buffers = {name for name, _ in model.named_buffers()}
    for name, value in model.state_dict().items():
        array = value.detach().cpu()
        tensors[prefix + name] = (array if name in buffers else array.half()).numpy().copy()
    return tensors


def restore(model: nn.Module, tensors: dict[str, NDArray[Any]], prefix: str = "") -> None:
    """Load what `export` wrote and put the model in eval mode.

    Raises
    ------
    KeyError, RuntimeError
        If tensors are missing or have other shapes.
    """
    state = {
        name: torch.from_numpy(tensors[prefix + name]).to(value.dtype)
        for name, value in model.state_dict().items()
    }
    model.load_state_dict(state)
    model.eval()
