"""Gradients of the loss of forces, and crystals that hold a potential where it was."""

import numpy as np
import pytest
import torch
from tiny_nequix import tiny_nequix
from torch.nn.functional import smooth_l1_loss

from screening.engines import Crystal
from screening.engines.nequix import NequixEngine
from screening.engines.nequix_file import parse_nqx
from screening.engines.nequix_network import plain_messages
from screening.tuning.frames import Frames, hypothetical, labelled_by
from screening.tuning.loss import BEND_ENERGY, BEND_FORCE, TunedNetwork, tuning_loss

ROCK = Crystal(np.array([11, 17]), np.eye(3) * 3.4, np.array([[0, 0, 0], [1.6, 1.7, 1.8]]))
OXIDE = Crystal(
    np.array([22, 8, 8]), np.eye(3) * 3.9, np.array([[0, 0, 0], [1.9, 0.1, 0], [0, 2.0, 1.9]])
)


@pytest.fixture(scope="module")
def network():
    model = TunedNetwork(*parse_nqx(tiny_nequix(), "tiny")).double()
    model.couplings = [matrix.double() for matrix in model.couplings]
    return model


@pytest.fixture(scope="module")
def engine():
    return NequixEngine("tiny", *parse_nqx(tiny_nequix(), "tiny"), double=True)


def exact_loss(model, frames, weight):
    """The same loss with torch's second derivatives."""
    total = 0
    for crystal, energy, forces in zip(
        frames.crystals, frames.energies, frames.forces, strict=True
    ):
        batch = model.batch([crystal])
        vectors = torch.from_numpy(batch.vectors).requires_grad_()
        value = model.energies(batch, vectors, 1)
        (slope,) = torch.autograd.grad(value.sum(), [vectors], create_graph=True)
        predicted = torch.zeros((len(crystal), 3), dtype=torch.float64)
        predicted = predicted.index_add(0, torch.from_numpy(batch.centers), slope)
        predicted = predicted.index_add(0, torch.from_numpy(batch.neighbors), slope, alpha=-1)
        error = smooth_l1_loss(
            value / len(crystal), torch.tensor([energy]), beta=BEND_ENERGY, reduction="sum"
        )
        total = total + error / BEND_ENERGY
        if forces is not None:
            error = smooth_l1_loss(
                predicted, torch.from_numpy(forces), beta=BEND_FORCE, reduction="mean"
            )
            total = total + weight * error / BEND_FORCE
    return total / len(frames)


def test_gradient_of_forces_from_energies_at_both_sides(network, engine, monkeypatch):
    monkeypatch.setattr("screening.tuning.loss.STEP", 1e-3)  # random weights make a rough surface
    rng = np.random.default_rng(0)
    frames = labelled_by(engine, [ROCK, OXIDE])
    frames = Frames(
        [*frames.crystals, OXIDE],
        np.append(frames.energies + 0.004, frames.energies[1] - 0.1),
        [forces + rng.normal(0, 0.02, forces.shape) for forces in frames.forces] + [None],
    )
    names = [name for name, _ in network.named_parameters()]
    network.zero_grad()
    loss = tuning_loss(network, frames, np.arange(3), force_weight=2.0)
    loss.backward()
    quick = {name: network.get_parameter(name).grad.clone() for name in names}
    network.zero_grad()
    compiled, network.messenger = network.messenger, plain_messages
    exact = exact_loss(network, frames, weight=2.0)
    exact.backward()
    network.messenger = compiled
    assert float(loss) == pytest.approx(float(exact), rel=1e-3)
    for name in names:
        expected = network.get_parameter(name).grad
        difference = torch.linalg.vector_norm(quick[name] - expected)
        assert difference < 1e-3 * torch.linalg.vector_norm(expected) + 1e-9, name


def test_at_the_start_nothing_pulls(network, engine):
    frames = labelled_by(engine, [ROCK, OXIDE])
    network.zero_grad()
    loss = tuning_loss(network, frames, np.arange(2), force_weight=1.0)
    loss.backward()
    assert float(loss) < 1e-6
    largest = max(p.grad.abs().max() for p in network.parameters() if p.grad is not None)
    assert largest < 1e-6


def test_hypothetical_crystals_are_new_compositions():
    rng = np.random.default_rng(1)
    allowed = frozenset({8, 11, 16, 17, 19, 22, 35, 40})
    made = hypothetical([ROCK, OXIDE], allowed, 30, rng)
    assert len(made) == 30
    for crystal in made:
        assert set(crystal.numbers.tolist()) <= allowed
        assert sorted(crystal.numbers.tolist()) not in ([11, 17], [8, 8, 22])
        assert len(crystal) in {2, 3}
        assert np.isfinite(crystal.positions).all()
    lengths = {round(float(crystal.cell[0, 0]), 3) for crystal in made}
    assert len(lengths) == 30  # each is strained


def test_elements_without_a_neighbour_in_their_group_are_left():
    assert hypothetical([ROCK], frozenset({11, 17}), 5, np.random.default_rng(0)) == []
