"""What the network is trained on: crystals with some of their tokens hidden.

Half of the crystals are shown as decoding meets them (the space group first, then letters, then
the cell and coordinates), half with tokens hidden at random. Targets are Gaussians of one bin
around the true value, circular for coordinates, and the step from the centre of its bin.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional

from screening.structure.transformer.data import N_BINS, Tokens
from screening.structure.transformer.network import Batch, Outputs
from screening.structure.transformer.tables import tables

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import nn

    from screening.structure.transformer.options import TransformerOptions

_WIDTH = 1.0
"""Standard deviation (bins) of the targets."""


@dataclass(frozen=True)
class Crystals:
    """Whole crystals as tensors: `Tokens` in one setting, as `Batch` has them; see there."""

    numbers: Tensor
    orbits: Tensor
    groups: Tensor
    letters: Tensor
    fractions: Tensor
    cells: Tensor


class Shelf:
    """All training crystals, of which batches are taken.

    Parameters
    ----------
    tokens
        The crystals.
    device
        Where the tensors are.
    """

    def __init__(self, tokens: Tokens, device: str) -> None:
        self.sizes = torch.from_numpy(tokens.sizes).to(device)
        arrays = {item.name: getattr(tokens, item.name) for item in fields(tokens)}
        self.tensors = {k: torch.from_numpy(v).to(device) for k, v in arrays.items()}
        self.settings = tokens.letters.shape[1]

    def take(self, rows: Tensor, shift: float) -> Crystals:
        """Take crystals, cut to the largest; a share `shift` of them in a random setting."""
        n = int(self.sizes[rows].max())
        random = torch.rand(len(rows), device=rows.device) < shift
        pick = torch.randint(0, self.settings, (len(rows),), device=rows.device) * random
        own = self.tensors
        return Crystals(
            numbers=own["numbers"][rows, :n].long(),
            orbits=own["orbits"][rows, :n].long(),
            groups=own["groups"][rows].long(),
            letters=own["letters"][rows, pick, :n].long(),
            fractions=own["fractions"][rows, pick, :n],
            cells=own["cells"][rows, pick],
        )


def hide(whole: Crystals, noise: float) -> Batch:
    """Hide tokens; those of one orbit, and equal cell parameters, are hidden together.

    Parameters
    ----------
    whole
        The crystals.
    noise
        Share of crystals whose known coordinates and cell are moved by up to 0.3 bins.
    """
    b, n = whole.numbers.shape
    device = whole.numbers.device
    known = tables(str(device))
    stage, loose = torch.rand(b, device=device), torch.rand(b, device=device) < 0.5
    group_known = stage > 0.2
    rate = torch.cos(torch.pi / 2 * torch.rand(b, device=device))
    all_letters = (stage > 0.55)[:, None]
    drawn = torch.rand(b, n, device=device).gather(1, whole.orbits)
    letters_known = group_known[:, None] & (all_letters | (drawn > rate[:, None]))
    drawn = torch.rand(b, n, 3, device=device).gather(1, whole.orbits[..., None].expand(-1, -1, 3))
    shown = (all_letters | loose[:, None]) & letters_known
    fractions_known = shown[..., None] & (drawn > rate[:, None, None])
    free = known.free[whole.letters]
    rate = torch.cos(torch.pi / 2 * torch.rand(b, device=device))
    drawn = torch.rand(b, 6, device=device) > rate[:, None]
    drawn &= all_letters | loose[:, None]
    source = known.cell_source[whole.groups]
    cells_known = drawn.gather(1, source)
    cells_known |= ~known.cell_free[whole.groups].gather(1, source)
    cells_known &= group_known[:, None] | (drawn & loose[:, None])
    moved = (torch.rand(b, device=device) < noise).float() * 0.6
    step = (torch.rand(b, n, 3, device=device) - 0.5).gather(
        1, whole.orbits[..., None].expand(-1, -1, 3)
    )
    fractions = whole.fractions + moved[:, None, None] * step * free / N_BINS
    step = (torch.rand(b, 6, device=device) - 0.5).gather(1, source)
    return Batch(
        numbers=whole.numbers,
        groups=whole.groups * group_known,
        letters=whole.letters * letters_known,
        fractions=fractions,
        fractions_known=fractions_known & free,
        cells=whole.cells + moved[:, None] * step * (source < 3),
        cells_known=cells_known,
    )


def smooth(values: Tensor, *, circular: bool) -> Tensor:
    """Targets of values in bins, ``(...,)``: Gaussians over the bins, ``(..., 64)``."""
    steps = torch.arange(N_BINS, device=values.device) - values[..., None]
    if circular:
        steps = (steps + N_BINS / 2) % N_BINS - N_BINS / 2
    return torch.softmax(-0.5 * (steps / _WIDTH) ** 2, dim=-1)


def _binned(
    logits: Tensor, offsets: Tensor, values: Tensor, *, circular: bool
) -> tuple[Tensor, Tensor]:
    """Cross entropy and error of the offset, ``(m,)`` each, of values in bins."""
    entropy = functional.cross_entropy(logits, smooth(values, circular=circular), reduction="none")
    nearest = values.round()
    places = nearest.long() % N_BINS if circular else nearest.long()
    step = offsets.gather(1, places[:, None])[:, 0]
    return entropy, functional.smooth_l1_loss(step, values - nearest, reduction="none", beta=0.1)


def losses(outputs: Outputs, shown: Batch, whole: Crystals) -> dict[str, Tensor]:
    """Mean losses over the hidden tokens by kind: group, letter, cell, fraction and offset."""
    known = tables(str(whole.numbers.device))
    zero = outputs.groups.sum() * 0
    found = dict.fromkeys(("group", "letter", "cell", "fraction", "offset"), zero)
    hidden = shown.groups == 0
    if hidden.any():
        found["group"] = functional.cross_entropy(outputs.groups[hidden], whole.groups[hidden] - 1)
    atoms = (shown.letters == 0) & (whole.numbers > 0) & ~hidden[:, None]
    if atoms.any():
        first = known.tokens[whole.groups, 0]
        letters = whole.letters - first[:, None]
        found["letter"] = functional.cross_entropy(outputs.letters[atoms], letters[atoms])
    own = known.cell_source[whole.groups] == torch.arange(6, device=hidden.device)
    cells = ~shown.cells_known & known.cell_free[whole.groups] & own & ~hidden[:, None]
    cell_step = fraction_step = zero
    if cells.any():
        entropy, step = _binned(
            outputs.cells[cells], outputs.cell_offsets[cells], whole.cells[cells], circular=False
        )
        found["cell"], cell_step = entropy.mean(), step.mean()
    free = known.free[shown.letters] & ~shown.fractions_known
    if free.any():
        entropy, step = _binned(
            outputs.fractions[free],
            outputs.fraction_offsets[free],
            whole.fractions[free] * N_BINS,
            circular=True,
        )
        weight = (1 / known.multiplicities[whole.letters])[..., None].expand_as(free)[free]
        weight = weight / weight.sum()
        found["fraction"], fraction_step = (entropy * weight).sum(), (step * weight).sum()
    found["offset"] = cell_step + fraction_step
    return found


def masked_loss(
    tokens: Tokens, options: TransformerOptions, device: str
) -> Callable[[nn.Module, Tensor], Tensor]:
    """Make the loss of some training crystals, with the weights of the options."""
    shelf = Shelf(tokens, device)
    weights = options.weights()

    def loss(network: nn.Module, rows: Tensor) -> Tensor:
        whole = shelf.take(rows, options.shift)
        shown = hide(whole, options.noise)
        found = losses(network(shown), shown, whole)
        return torch.stack([weights[name] * value for name, value in found.items()]).sum()

    return loss
