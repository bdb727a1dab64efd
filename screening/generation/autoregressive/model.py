"""An order-free autoregressive model of compositions.

A composition is a set of pairs (element, amount). The model adds one pair at a time: which element
comes next, or that the set is complete, and then how often the element occurs. What it knows of the
pairs so far is their sum in a learned space (Zaheer et al. 2017, arXiv:1703.06114), so that their
order cannot matter; it is trained on random orders (Uria et al. 2014, arXiv:1310.1757; Vinyals et
al. 2016, arXiv:1511.06391). A sum needs no memory of earlier steps, which makes sampling fast, and
it is how charges add up. The pair of an element and an amount is a vector for the element, one for
each atom of it, and one of its own.

The representation is that of MatGAN (`screening.generation.representation`): 85 elements, 1 to 8
atoms of each, 2 to 8 elements. An element occurs once, and the end comes after 2 to 8 elements:
both are structure of the representation, as one amount per slot is for MatGAN, not a filter.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from screening.generation.representation import MAX_COUNT, MAX_ELEMENTS, MIN_ELEMENTS

N_ELEMENTS = 85

STOP = N_ELEMENTS
"""Choice that ends a composition, after those of the elements."""


class _Block(nn.Module):
    """A residual layer pair."""

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.LayerNorm(width),
            nn.Linear(width, width),
            nn.GELU(),
            nn.Dropout(dropout),
            nn.Linear(width, width),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Add to what comes in, shape ``(n, width)``."""
        change: Tensor = self.layers(x)
        return x + change


class SetModel(nn.Module):
    """Next pair of a set of pairs (element, amount).

    Parameters
    ----------
    width
        Length of the vectors.
    depth
        Number of residual layer pairs.
    amount_width
        Hidden width of the choice of the amount.
    dropout
        Share of hidden units that are dropped in training.
    """

    def __init__(
        self, width: int = 256, depth: int = 2, amount_width: int = 128, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.width = width
        self.element = nn.Parameter(torch.randn(N_ELEMENTS, 1, width) * 0.5)
        self.atom = nn.Parameter(torch.randn(N_ELEMENTS, 1, width) * 0.5)
        self.pair = nn.Parameter(torch.randn(N_ELEMENTS, MAX_COUNT, width) * 0.1)
        self.empty = nn.Parameter(torch.zeros(width))
        self.trunk = nn.Sequential(
            nn.GELU(), *(_Block(width, dropout) for _ in range(depth)), nn.LayerNorm(width)
        )
        self.choice = nn.Linear(width, N_ELEMENTS + 1)
        self.amount_in = nn.Linear(width, amount_width)
        self.amount_element = nn.Embedding(N_ELEMENTS, amount_width)
        self.amount = nn.Sequential(
            nn.GELU(),
            nn.Linear(amount_width, amount_width),
            nn.GELU(),
            nn.Linear(amount_width, MAX_COUNT),
        )

    def pairs(self) -> Tensor:
        """Vectors of the pairs, shape ``(85, 8, width)``; a state is `empty` plus a sum of them."""
        atoms = torch.arange(1, MAX_COUNT + 1, device=self.atom.device) / 4
        return self.element + self.atom * atoms[:, None] + self.pair

    def element_scores(self, hidden: Tensor, present: Tensor) -> Tensor:
        """Score the 85 elements and the end, shape ``(n, 86)``.

        Parameters
        ----------
        hidden
            The trunk's output, shape ``(n, width)``.
        present
            Which elements are in the set, shape ``(n, 85)``.
        """
        size = present.sum(dim=1)
        barred = torch.cat([present, (size < MIN_ELEMENTS)[:, None]], dim=1)
        barred[:, :STOP] |= (size >= MAX_ELEMENTS)[:, None]
        scores: Tensor = self.choice(hidden)
        return scores.masked_fill(barred, -torch.inf)

    def amount_scores(self, hidden: Tensor, elements: Tensor) -> Tensor:
        """Score the amounts 1 to 8 of one element for each state, shape ``(n, 8)``.

        Parameters
        ----------
        hidden
            The trunk's output, shape ``(n, width)``.
        elements
            Rows of the elements, shape ``(n,)``.
        """
        scores: Tensor = self.amount(self.amount_in(hidden) + self.amount_element(elements))
        return scores

    def forward(self, elements: Tensor, amounts: Tensor) -> Tensor:
        """Negative log-likelihood of compositions, each with its pairs in the given order.

        Every state is asked for all pairs that are still missing, not only for the next one: the
        mean over the orders of the rest, at no cost.

        Parameters
        ----------
        elements
            Rows of the elements, -1 for none at the end, int64, shape ``(n, 8)``.
        amounts
            Amounts less one, int64, shape ``(n, 8)``.

        Returns
        -------
        Nats per composition, shape ``(n,)``.
        """
        n, width = elements.shape
        real = elements >= 0
        vectors = self.pairs()[elements.clamp_min(0), amounts] * real[..., None]
        states = self.empty + nn.functional.pad(vectors.cumsum(dim=1), (0, 0, 1, 0))
        place = torch.arange(width + 1, device=elements.device)
        row, step = (place <= real.sum(dim=1, keepdim=True)).nonzero(as_tuple=True)
        hidden = self.trunk(states[row, step])
        missing = real[row] & (place[:width] >= step[:, None])
        n_missing = missing.sum(dim=1)
        state, which = missing.nonzero(as_tuple=True)
        wanted = elements[row[state], which]
        present = torch.zeros(len(row), N_ELEMENTS, dtype=torch.bool, device=elements.device)
        inside, at = (real[row] & ~missing).nonzero(as_tuple=True)
        present[inside, elements[row[inside], at]] = True
        odds = self.element_scores(hidden, present).log_softmax(dim=1)
        amount_odds = self.amount_scores(hidden[state], wanted).log_softmax(dim=1)
        both = odds[state, wanted] + amount_odds.gather(1, amounts[row[state], which, None])[:, 0]
        total = torch.zeros(n, dtype=both.dtype, device=elements.device)
        total = total.index_add(0, row[state], -both / n_missing[state])
        done = n_missing == 0
        return total.index_add(0, row[done], -odds[done, STOP])
