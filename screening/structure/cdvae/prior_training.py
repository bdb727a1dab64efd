"""The prior of z, learned once more when the encoder is done (Dai & Wipf 2019, arXiv:1903.05789).

While all learn together the prior runs after an encoder that moves. Afterwards the encoder's
answers are known, and learning which of them a composition has costs next to nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from screening.structure.cdvae.condition import MixturePrior
from screening.training.data import held_out
from screening.training.loop import fit
from screening.training.options import FitResult, LoopOptions

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor, nn

    from screening.structure.cdvae.data import Batch
    from screening.structure.cdvae.network import CondCdvae
    from screening.structure.cdvae.options import CdvaeOptions

_CHUNK, _BATCH = 64, 256
_VALIDATED = 0.1
"""Share of the formulas that decide when to stop."""


def fit_prior(
    network: CondCdvae,
    crystals: Batch,
    formulas: list[str],
    options: CdvaeOptions,
    *,
    seed: int,
    state: Path,
    key: str,
) -> FitResult:
    """Train the prior on the encoder's answers; all else stays.

    Parameters
    ----------
    network
        The trained networks.
    crystals
        What they were trained on.
    formulas
        Of the crystals; a tenth of them is validated, and the best prior of those kept.
    options
        ``prior_epochs`` of them; none if that is 0, or for the paper's prior.
    seed, state, key
        As in `fit`.
    """
    if not options.prior_epochs or not isinstance(network.prior, MixturePrior):
        return FitResult()
    told, mean, log_variance = _answers(network, crystals)
    validated = held_out(formulas, fraction=_VALIDATED, seed=seed + 1)
    used, left = (
        torch.from_numpy(np.flatnonzero(part)).to(told.device) for part in (~validated, validated)
    )
    if not len(left):
        return FitResult()

    def loss(prior: nn.Module, rows: Tensor) -> Tensor:
        assert isinstance(prior, MixturePrior)
        z = mean[rows] + torch.randn_like(mean[rows]) * (0.5 * log_variance[rows]).exp()
        return prior.divergence(z, mean[rows], log_variance[rows], told[rows]).mean()

    return fit(
        network.prior,
        lambda prior, rows: loss(prior, used[rows]),
        len(used),
        LoopOptions(
            epochs=options.prior_epochs,
            batch_size=_BATCH,
            learning_rate=1e-3,
            weight_decay=0.05,
            ema=0.99,
        ),
        seed=seed,
        validate=lambda prior: float(loss(prior, left)),
        state=state,
        key=key,
        label="prior",
    )


@torch.no_grad()
def _answers(network: CondCdvae, crystals: Batch) -> tuple[Tensor, Tensor, Tensor]:
    """Conditions, and means and log variances of z, of all crystals."""
    device = network.get_buffer("sigmas").device.type
    found = []
    for rows in torch.arange(len(crystals)).split(_CHUNK):
        part = crystals.rows(rows).to(device)
        told = network.conditions(part)
        found.append((told, *network.encode(part, told)))
    told, mean, log_variance = (torch.cat(parts) for parts in zip(*found, strict=True))
    return told, mean, log_variance
