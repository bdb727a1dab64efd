"""Train the kernel of the votes: each crystal's own space group is to win the votes of the others.

The crystal itself is left out (all have different formulas), as a new composition is not known.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from screening.identity import derive_seed
from screening.symmetry.bravais import N_SPACE_GROUPS
from screening.symmetry.votes import VoteKernel, arrangements_of, families

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    from numpy.typing import NDArray

    from screening.composition import CompositionArray
    from screening.symmetry.votes import Stoichiometry
    from screening.training.options import FitResult, LoopOptions

_TARGETS = 64
"""Targets in a batch of the loop's; see `_packs`."""

_MISSED = 1e-4
_EXCLUDED = -1e4


@dataclass(frozen=True)
class _Part:
    """Some targets of one family: tensors on the device of the training."""

    counts: Stoichiometry
    targets: torch.Tensor  # (b, m, k) atomic numbers of all arrangements
    own: torch.Tensor  # (b,) places of the targets in the family
    known: torch.Tensor  # (n, k)
    groups: torch.Tensor  # (n,)


def fit_kernel(
    compositions: CompositionArray,
    space_groups: NDArray[np.int64],
    sizes: dict[str, Any],
    options: LoopOptions,
    *,
    seed: int,
    device: str,
    state: Path | None = None,
    key: str = "",
    label: str = "votes",
) -> tuple[VoteKernel, FitResult]:
    """Train a kernel on n crystals.

    Parameters
    ----------
    space_groups
        Columns (number - 1), shape ``(n,)``.
    sizes
        Arguments of `VoteKernel`.
    options
        Of the loop; a row of the loop is a pack of about 64 crystals.
    seed, state, key, label
        As in `screening.training.loop.fit`.

    Returns
    -------
    The kernel, on the cpu in eval mode, and how the training went. Where no stoichiometry has two
    crystals of one space group there is nothing to learn, and the kernel stays as it starts.
    """
    from screening.training.loop import FitResult, fit, seeded

    with seeded(seed):
        kernel = VoteKernel(**sizes)
    packs = _packs(compositions, np.asarray(space_groups, dtype=np.int64), seed, device)
    if not packs:
        return kernel.eval(), FitResult()
    kernel.to(device)

    def loss(model: torch.nn.Module, rows: torch.Tensor) -> torch.Tensor:
        parts = [part for row in rows.tolist() for part in packs[row]]
        losses = torch.cat([_losses(model, part) for part in parts])  # type: ignore[arg-type]
        return losses.mean()

    result = fit(kernel, loss, len(packs), options, seed=seed, state=state, key=key, label=label)
    return kernel.cpu().eval(), result


def _losses(kernel: VoteKernel, part: _Part) -> torch.Tensor:
    """Negative logarithm of the share that each target's space group gets, shape ``(b,)``."""
    targets = kernel.embed(part.targets, part.counts)
    votes = kernel(targets, kernel.embed(part.known, part.counts))
    places = torch.arange(len(part.known), device=votes.device)
    votes = votes.masked_fill(part.own[:, None] == places, _EXCLUDED)
    shares = torch.exp(votes - votes.max(dim=1, keepdim=True).values.detach())
    total = shares.sum(dim=1)
    same = part.groups[part.own][:, None] == part.groups
    return torch.log(total) - torch.log((shares * same).sum(dim=1) + _MISSED * total)


def _packs(
    compositions: CompositionArray, groups: NDArray[np.int64], seed: int, device: str
) -> list[list[_Part]]:
    """Parts of families, packed so that each pack has about as many targets."""
    rng = np.random.default_rng(derive_seed("packs", seed))
    parts = []
    for counts, family in sorted(families(compositions).items()):
        own = groups[family.rows]
        targets = np.flatnonzero(np.bincount(own, minlength=N_SPACE_GROUPS)[own] > 1)
        targets = rng.permutation(targets)
        known, columns = torch.from_numpy(family.numbers), torch.from_numpy(own)
        numbers = family.numbers[:, arrangements_of(counts)]
        for start in range(0, len(targets), _TARGETS):
            chosen = targets[start : start + _TARGETS]
            tensors = (torch.from_numpy(numbers[chosen]), torch.from_numpy(chosen), known, columns)
            parts.append(_Part(counts, *(tensor.to(device) for tensor in tensors)))
    packs: list[list[_Part]] = []
    room = 0
    for i in rng.permutation(len(parts)):
        if room < len(parts[i].own):
            packs.append([])
            room = _TARGETS
        packs[-1].append(parts[i])
        room -= len(parts[i].own)
    return packs
