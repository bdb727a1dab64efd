"""Sampling of the order-free autoregressive model: seeded, batched, within a chemical space.

How a chemical space is kept. Required elements are forced first, in the order of their atomic
numbers, with amounts that the model chooses; then the elements that are not allowed are barred at
every step. What breaks the limits of size is rejected. Neither is the model's exact conditional
distribution: a formula of k elements counts ``1 / comb(k, r)`` times as much when r of them are
forced first as when they may come anywhere, so that fewer elements are favoured, and barring shares
the probability of what is barred among what is left of that step.

Sampling temperatures. Scores are divided by them, one for the elements and the end, one for the
amounts: above 1 unlikely choices become more likely, below 1 less. Elements above 1 give more new
formulas, amounts below 1 more valid ones; the defaults are in the checkpoint (`SetOptions`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from screening.generation.autoregressive.model import N_ELEMENTS, STOP, SetModel
from screening.generation.chunks import CompositionSampler
from screening.generation.representation import MAX_COUNT, MAX_ELEMENTS, element_numbers

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from screening.generation.space import ChemicalSpace


class SetSampler(CompositionSampler):
    """Draws compositions from a `SetModel`.

    Parameters
    ----------
    model
        A trained model; it is switched to evaluation.
    temperature
        Sampling temperature of the elements and the end; 1 samples the model itself.
    amount_temperature
        Sampling temperature of the amounts.
    """

    def __init__(
        self, model: SetModel, temperature: float = 1.0, amount_temperature: float = 1.0
    ) -> None:
        self.model = model.eval()
        self.temperature = temperature
        self.amount_temperature = amount_temperature
        with torch.inference_mode():
            self._pairs = model.pairs().flatten(0, 1)
            self._start = model.trunk(model.empty[None])
            self._after_one = model.trunk(model.empty + self._pairs)  # of all 680 pairs

    def settings(self) -> dict[str, float]:
        """Return the temperatures."""
        return {"temperature": self.temperature, "amount_temperature": self.amount_temperature}

    def _amounts(
        self, n: int, rng: torch.Generator, space: ChemicalSpace | None
    ) -> NDArray[np.uint8]:
        model = self.model
        required = [] if space is None else np.flatnonzero(_rows(space.required)).tolist()
        barred = torch.zeros(N_ELEMENTS + 1)
        if space is not None:
            barred[:STOP][torch.from_numpy(~_rows(space.elements))] = -torch.inf
        amounts = torch.zeros(n, N_ELEMENTS, dtype=torch.uint8)
        rows = torch.arange(n)  # those that are not complete
        pair = torch.empty(0, dtype=torch.int64)
        state = model.empty.expand(n, -1)
        for step in range(MAX_ELEMENTS + 1):
            if step == 0:
                hidden = self._start.expand(n, -1)
            elif step == 1:
                hidden = self._after_one.index_select(0, pair)
            else:
                hidden = model.trunk(state)
            if step < len(required):
                element = torch.full((len(rows),), required[step])
            else:
                scores = model.element_scores(hidden, amounts.index_select(0, rows) > 0) + barred
                element = _draw(scores, self.temperature, rng)
                going = (element < STOP).nonzero()[:, 0]
                rows, element = rows[going], element[going]
                state, hidden = state.index_select(0, going), hidden.index_select(0, going)
            if not len(rows):
                break
            amount = _draw(model.amount_scores(hidden, element), self.amount_temperature, rng)
            amounts[rows, element] = (amount + 1).to(torch.uint8)
            pair = element * MAX_COUNT + amount
            state = state + self._pairs.index_select(0, pair)
        drawn: NDArray[np.uint8] = amounts.numpy()
        return drawn


def _draw(scores: Tensor, temperature: float, rng: torch.Generator) -> Tensor:
    """Draw one column of each row, shape ``(n,)``; the last where none is possible."""
    ends = (scores / temperature).softmax(dim=1).cumsum(dim=1).nan_to_num_(0.0)
    points = torch.rand(len(scores), 1, generator=rng) * (1 - 1e-6) * ends[:, -1:]
    return (ends <= points).sum(dim=1).clamp_max(scores.shape[1] - 1)


def _rows(numbers: tuple[int, ...]) -> NDArray[np.bool_]:
    """Which of the 85 elements are named by atomic number, shape ``(85,)``."""
    return np.isin(element_numbers(), numbers)
