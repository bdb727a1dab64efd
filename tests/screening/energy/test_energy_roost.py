"""The Roost network and the stack."""

import numpy as np
import pytest
import torch
from torch import nn

from screening.composition import CompositionArray
from screening.energy import EnergyModel
from screening.energy.ensembles import stack_shares
from screening.energy.roost import Attention, RoostNetwork, element_properties, graph_inputs
from screening.training.loop import seeded

FORMULAS = ["NaCl", "LiMn2O4", "Fe", "CaSrTi2O6", "TiO2"]


@pytest.fixture(scope="module")
def network():
    with seeded(1):
        return RoostNetwork(16, 2, 3, 8, (12, 6), 2).eval()


def run(network, compositions):
    with torch.inference_mode():
        mean, log_sigma = network(torch.from_numpy(graph_inputs(compositions)))
    return mean.numpy(), log_sigma.numpy()


def test_inputs_are_elements_and_fractions():
    inputs = graph_inputs(CompositionArray.from_formulas(["Fe2O3", "NaCl"]))
    numbers, fractions = np.split(inputs, 2, axis=1)
    assert dict(zip(numbers[0], fractions[0], strict=True)) == pytest.approx({26: 0.4, 8: 0.6})
    assert fractions.sum(axis=1) == pytest.approx(1)


def test_every_element_has_properties():
    assert element_properties().shape == (104, 22)
    assert np.isfinite(element_properties()).all()


def test_the_order_of_elements_does_not_matter(network):
    compositions = CompositionArray.from_formulas(FORMULAS)
    inputs = graph_inputs(compositions)
    k = inputs.shape[1] // 2
    order = np.random.default_rng(0).permutation(k)
    shuffled = np.concatenate([inputs[:, :k][:, order], inputs[:, k:][:, order]], axis=1)
    with torch.inference_mode():
        first, second = (network(torch.from_numpy(x))[0] for x in (inputs, shuffled))
    torch.testing.assert_close(first, second, atol=1e-5, rtol=1e-5)


def test_a_composition_does_not_see_its_batch(network):
    together = run(network, CompositionArray.from_formulas(FORMULAS))
    for row, formula in enumerate(FORMULAS):
        alone = run(network, CompositionArray.from_formulas([formula]))
        np.testing.assert_allclose(alone[0][0], together[0][row], atol=1e-5)
        np.testing.assert_allclose(alone[1][0], together[1][row], atol=1e-5)


def test_attention_is_that_of_the_paper():
    """Gates and messages on concatenated pairs, weights ``w^p exp(g)``, mean of heads."""
    size, heads, hidden, k = 5, 2, 7, 3
    with seeded(3):
        layer = Attention(size, heads, hidden, pairs=True)
        layer.power.data.uniform_(0.5, 1.5)
        vectors, fractions = torch.randn(1, k, size), torch.tensor([[0.2, 0.3, 0.5]])
    expected = torch.zeros(k, size)
    sender, bias = layer.sender.weight.view(2, heads, hidden, size), layer.sender.bias
    receiver = layer.receiver.weight.view(2, heads, hidden, size)
    bias = bias.view(2, heads, hidden)
    out = layer.message.weight.view(size, heads, hidden)
    for i in range(k):
        for head in range(heads):
            scores, messages = [], []
            for j in range(k):
                pair = torch.cat([vectors[0, i], vectors[0, j]])
                gate, message = (
                    nn.functional.leaky_relu(
                        torch.cat([receiver[which, head], sender[which, head]], dim=1) @ pair
                        + bias[which, head],
                        0.01,
                    )
                    for which in range(2)
                )
                scores.append(
                    fractions[0, j] ** layer.power[head] * torch.exp(gate @ layer.gate[head])
                )
                messages.append(out[:, head] @ message)
            weights = torch.stack(scores) / torch.stack(scores).sum()
            expected[i] += (weights[:, None] * torch.stack(messages)).sum(dim=0) / heads
    result = layer(vectors, fractions.log())[0]
    torch.testing.assert_close(result, expected + layer.message.bias, atol=1e-5, rtol=1e-5)


def test_the_stack_takes_the_better_share():
    rng = np.random.default_rng(0)
    truth = rng.normal(size=(500, 2)).astype(np.float32)
    good, bad = truth + rng.normal(0, 0.05, (500, 2)), truth + rng.normal(0, 0.5, (500, 2))
    assert (stack_shares(good, bad, truth) < 0.2).all()
    assert (stack_shares(bad, good, truth) > 0.8).all()
    truth[:400, 1] = np.nan
    assert np.isfinite(stack_shares(good, bad, truth)).all()


def test_prediction_lies_between_the_ensembles(trained):
    model = EnergyModel.load(str(trained.folder))
    compositions = CompositionArray.from_formulas(["NaCl", "MgO", "Fe2O3", "LiMnO2"])
    parts = model.by_ensemble(compositions)
    mean, spread = model.raw(compositions)
    low = np.minimum(parts["mlp"][0], parts["roost"][0])
    high = np.maximum(parts["mlp"][0], parts["roost"][0])
    assert ((low - 1e-5 <= mean) & (mean <= high + 1e-5)).all()
    assert (spread > 0).all()


def test_fast_uses_the_networks_on_descriptors_alone(trained):
    model = EnergyModel.load(str(trained.folder))
    compositions = CompositionArray.from_formulas(["NaCl", "MgO"])
    fast = model.predict(compositions, fast=True)
    np.testing.assert_array_equal(fast.mean, model.by_ensemble(compositions)["mlp"][0][:, 0])
    assert (fast.lower90 < fast.mean).all()
    assert (fast.mean < fast.upper90).all()
