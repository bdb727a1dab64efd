"""The networks: one for the symmetry, one for the sizes, on composition descriptors.

The symmetry follows CRYSPNet (Liang et al. 2020, doi:10.1103/PhysRevMaterials.4.123802) with one
network instead of fifteen: its space-group outputs are normalised inside each Bravais class and
multiplied with the probability of the class, so that the product is a distribution over all 230
groups. Sizes are regressed as standardised logarithms, as there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from screening.features.network import FeatureTrunk
from screening.symmetry.bravais import N_SPACE_GROUPS, bravais_classes
from screening.symmetry.cells import BRAVAIS, free_parameters

if TYPE_CHECKING:
    from numpy.typing import NDArray

N_BRAVAIS = len(BRAVAIS)
_FREE = [free_parameters(k) for k in range(N_BRAVAIS)]
N_SIZES = 1 + sum(len(columns) for columns in _FREE)
"""Outputs of the size network: ln(volume/atom), then the free parameters of each class."""


def size_columns(bravais: int) -> slice:
    """Select the outputs of the size network that belong to a class."""
    start = 1 + sum(len(columns) for columns in _FREE[:bravais])
    return slice(start, start + len(_FREE[bravais]))


def size_targets(
    volume: NDArray[np.float64], cells: NDArray[np.float64], bravais: NDArray[np.intp]
) -> NDArray[np.float64]:
    """Logarithms that the size network learns, ``(n, N_SIZES)``, NaN outside a crystal's class.

    Parameters
    ----------
    volume
        Angstrom^3/atom, shape ``(n,)``.
    cells
        Conventional cells, shape ``(n, 6)``, rows may be NaN.
    bravais
        Classes, shape ``(n,)``.
    """
    targets = np.full((len(volume), N_SIZES), np.nan)
    targets[:, 0] = np.log(volume)
    for k in range(N_BRAVAIS):
        rows = np.flatnonzero(bravais == k)
        targets[rows, size_columns(k)] = np.log(cells[rows][:, free_parameters(k)])
    return targets


def size_scales(targets: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    """Mean, scale ``(k,)`` and range ``(2, k)`` of each target; 0 and 1 where there is none."""
    count = np.isfinite(targets).sum(axis=0)
    filled = np.where(np.isfinite(targets), targets, 0)
    mean = filled.sum(axis=0) / np.maximum(count, 1)
    square = np.where(np.isfinite(targets), (targets - mean) ** 2, 0).sum(axis=0)
    scale = np.sqrt(square / np.maximum(count, 1))
    low = np.where(np.isfinite(targets), targets, np.inf).min(axis=0)
    high = np.where(np.isfinite(targets), targets, -np.inf).max(axis=0)
    bounds = np.where(count > 0, np.stack([low, high]), np.stack([mean, mean]))
    return {"mean": mean, "scale": np.where(scale > 1e-6, scale, 1.0), "range": bounds}


class SymmetryNetwork(nn.Module):
    """Logits of the 14 Bravais classes and the 230 space groups."""

    class_of: torch.Tensor

    def __init__(self, n_inputs: int, width: int, blocks: int, dropout: float) -> None:
        super().__init__()
        self.trunk = FeatureTrunk(n_inputs, width, blocks, dropout)
        self.head = nn.Sequential(nn.Dropout(dropout), nn.Linear(width, N_BRAVAIS + N_SPACE_GROUPS))
        classes = torch.from_numpy(bravais_classes()[1:].copy())
        self.register_buffer("class_of", classes, persistent=False)
        self._members = [torch.nonzero(classes == k)[:, 0] for k in range(N_BRAVAIS)]

    def forward(self, inputs: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Map descriptors to log-probabilities.

        Returns
        -------
        Of the classes, shape ``(n, 14)``, and of each space group inside its class, ``(n, 230)``.
        """
        out = self.head(self.trunk(inputs))
        classes = out[:, :N_BRAVAIS].log_softmax(dim=1)
        groups = out[:, N_BRAVAIS:]
        total = torch.stack([groups[:, m].logsumexp(dim=1) for m in self._members], dim=1)
        return classes, groups - total[:, self.class_of]


def space_group_probabilities(
    network: SymmetryNetwork, inputs: torch.Tensor
) -> NDArray[np.float64]:
    """Probabilities of all space groups, ``(n, 230)``, for descriptors ``(n, n_inputs)``."""
    of_class, of_group = (part.double() for part in network(inputs))
    probabilities: NDArray[np.float64] = (
        (of_group + of_class[:, network.class_of]).exp().cpu().numpy()
    )
    return probabilities


class SizeNetwork(nn.Module):
    """Standardised logarithms of the volume per atom and of the cells of all classes."""

    def __init__(self, n_inputs: int, width: int, blocks: int, dropout: float) -> None:
        super().__init__()
        self.trunk = FeatureTrunk(n_inputs, width, blocks, dropout)
        self.head = nn.Linear(width, N_SIZES)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Map descriptors ``(n, n_inputs)`` to ``(n, N_SIZES)``."""
        sizes: torch.Tensor = self.head(self.trunk(inputs))
        return sizes


def size_loss(predicted: torch.Tensor, target: torch.Tensor, volume_weight: float) -> torch.Tensor:
    """Absolute error of the volume plus the mean one of the cell parameters that are not NaN."""
    error = (predicted - torch.nan_to_num(target)).abs() * torch.isfinite(target)
    cells = error[:, 1:].sum() / torch.isfinite(target[:, 1:]).sum().clamp(min=1)
    return volume_weight * error[:, 0].mean() + cells
