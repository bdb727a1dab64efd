"""The network: one mean and one spread for each reference, from composition descriptors.

Trained with the robust loss of Roost (Goodall & Lee 2020, doi:10.1038/s41467-020-19964-7), the
negative log-likelihood of a Laplace distribution whose spread is predicted too.
"""

from __future__ import annotations

import math

import torch
from torch import nn

from screening.features.network import FeatureTrunk

REFERENCE_SCALE = 0.1
LOG_SIGMA_RANGE = (-5.0, 3.0)


class EnergyNetwork(nn.Module):
    """Trunk and head; works in standardised energies.

    References share one mean and one spread, plus a small correction of their own: most formulas
    are known in one set of corrections only.

    Parameters
    ----------
    n_inputs, width, blocks, dropout
        Of the trunk.
    n_references
        Sets of corrections, r.
    """

    def __init__(
        self, n_inputs: int, width: int, blocks: int, dropout: float, n_references: int
    ) -> None:
        super().__init__()
        self.n_references = n_references
        self.trunk = FeatureTrunk(n_inputs, width, blocks, dropout)
        self.head = nn.Linear(width, 2 * (1 + n_references))

    def forward(self, inputs: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Map descriptors ``(n, n_inputs)`` to means and log spreads, each ``(n, r)``."""
        out = self.head(self.trunk(inputs)).reshape(-1, 2, 1 + self.n_references)
        mean, log_sigma = (out[:, :, :1] + REFERENCE_SCALE * out[:, :, 1:]).unbind(dim=1)
        return mean, log_sigma.clamp(*LOG_SIGMA_RANGE)


def robust_l1(mean: torch.Tensor, log_sigma: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Mean of ``sqrt(2) |y - mean| / sigma + log sigma`` over the targets that are not NaN."""
    known = torch.isfinite(target)
    error = (torch.nan_to_num(target) - mean).abs()
    loss = math.sqrt(2) * error * torch.exp(-log_sigma) + log_sigma
    return (loss * known).sum() / known.sum().clamp(min=1)
