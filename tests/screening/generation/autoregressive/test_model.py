"""The order-free autoregressive model: what it knows, and what its likelihood means."""

from itertools import permutations

import numpy as np
import pytest
import torch

from screening.composition import CompositionArray
from screening.generation.autoregressive.model import N_ELEMENTS, STOP, SetModel
from screening.generation.autoregressive.train import pack, shuffled
from screening.generation.representation import MAX_COUNT, MAX_ELEMENTS
from screening.training.loop import seeded


@pytest.fixture
def model():
    with seeded(0):
        return SetModel(width=16, depth=1, amount_width=8).double().eval()


def stepwise(model, elements, amounts):
    """Negative log-likelihood of one composition in one order, one step after another."""
    state, present, total = model.empty[None], torch.zeros(1, N_ELEMENTS, dtype=torch.bool), 0.0
    for element, amount in zip(elements, amounts, strict=True):
        hidden = model.trunk(state)
        total -= model.element_scores(hidden, present).log_softmax(1)[0, element]
        scores = model.amount_scores(hidden, torch.tensor([element]))
        total -= scores.log_softmax(1)[0, amount]
        state = state + model.pairs()[element, amount]
        present = present.clone()
        present[0, element] = True
    return total - model.element_scores(model.trunk(state), present).log_softmax(1)[0, STOP]


def test_the_likelihood_is_that_of_the_steps_averaged_over_orders(model):
    elements, amounts = pack(CompositionArray.from_formulas(["LiFePO4"]))
    orders = [torch.tensor([*order, 4, 5, 6, 7]) for order in permutations(range(4))]
    whole = [model(elements[:, order], amounts[:, order]).item() for order in orders]
    steps = [
        stepwise(model, elements[0, order[:4]].tolist(), amounts[0, order[:4]].tolist()).item()
        for order in orders
    ]
    assert np.mean(whole) == pytest.approx(np.mean(steps))
    assert whole != pytest.approx(steps)  # each order on its own is not the same


def test_compositions_of_a_batch_do_not_mix(model):
    formulas = ["NaCl", "LiFePO4", "Fe2O3"]
    elements, amounts = pack(CompositionArray.from_formulas(formulas))
    together = model(elements, amounts)
    alone = [model(elements[i : i + 1], amounts[i : i + 1])[0] for i in range(3)]
    assert torch.allclose(together, torch.stack(alone))


def test_the_representation_is_kept(model):
    hidden = torch.zeros(3, 16, dtype=torch.float64)
    present = torch.zeros(3, N_ELEMENTS, dtype=torch.bool)
    present[1, :2] = True
    present[2, :MAX_ELEMENTS] = True
    possible = model.element_scores(hidden, present).isfinite()
    assert possible[0].tolist() == [True] * N_ELEMENTS + [False]  # no end before two elements
    assert possible[1].tolist() == [False, False] + [True] * (N_ELEMENTS - 1)  # each only once
    assert possible[2].nonzero().tolist() == [[STOP]]  # eight are enough
    assert model.amount_scores(hidden, torch.arange(3)).shape == (3, MAX_COUNT)


def test_packing_and_shuffling_keep_the_pairs():
    elements, amounts = pack(CompositionArray.from_formulas(["Fe2O3", "LiFePO4"] * 50))
    assert elements[0].tolist().count(-1) == 6
    mixed_elements, mixed_amounts = shuffled(elements, amounts)
    for before, after in ((0, 0), (1, 1), (51, 51)):
        pairs = {*zip(elements[before].tolist(), amounts[before].tolist(), strict=True)}
        mixed = {*zip(mixed_elements[after].tolist(), mixed_amounts[after].tolist(), strict=True)}
        assert pairs == mixed
    assert ((mixed_elements < 0) == (elements < 0)).all()
    assert len({tuple(row) for row in mixed_elements[1::2].tolist()}) > 5
