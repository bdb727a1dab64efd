"""The networks: shapes, choices, gradients, and the sizes of the authors' release."""

import pytest
import torch

from screening.generation.matgan.model import (
    ConvCritic,
    ConvGenerator,
    DenseCritic,
    SlotGenerator,
    gradient_penalty,
    hard_choice,
    use_normal_weights,
)


@pytest.fixture
def rng():
    return torch.Generator().manual_seed(0)


def test_a_choice_is_one_hot_and_has_the_gradient_of_the_softmax(rng):
    logits = torch.tensor([[0.0, 2.0, 1.0]], requires_grad=True)
    choice = hard_choice(logits, 0.0, rng)
    assert choice[0].tolist() == pytest.approx([0.0, 1.0, 0.0])
    (choice * torch.tensor([1.0, 2.0, 3.0])).sum().backward()
    soft = logits.detach().clone().requires_grad_()
    (soft.softmax(-1) * torch.tensor([1.0, 2.0, 3.0])).sum().backward()
    assert torch.allclose(logits.grad, soft.grad)


def test_noise_samples_the_softmax(rng):
    logits = torch.tensor([0.0, 1.0, -1.0]).expand(40_000, 3)
    shares = hard_choice(logits, 1.0, rng).mean(dim=0)
    assert torch.allclose(shares, logits[0].softmax(-1), atol=0.01)


def test_slots_make_few_elements(rng):
    generator = SlotGenerator(latent=16, width=32, slots=5, noise=1.0)
    cells = generator(torch.randn(64, 16), rng)
    assert cells.shape == (64, 85, 8)
    assert set(cells.detach().round(decimals=4).unique().tolist()) <= {0.0, 1.0, 2.0, 3.0}
    assert (cells.detach().sum(dim=(1, 2)) <= 5.001).all()
    cells.square().sum().backward()
    assert all(p.grad is not None for p in generator.parameters())


def test_the_networks_of_the_authors(rng):
    generator, critic = ConvGenerator(128), ConvCritic(batch_norm=True)
    cells = generator(torch.randn(4, 128), rng)
    assert cells.shape == (4, 85, 8)
    assert ((cells >= 0) & (cells <= 1)).all()
    assert critic(cells).shape == (4,)
    layers = [m for m in generator.modules() if isinstance(m, torch.nn.ConvTranspose2d)]
    assert [layer.out_channels for layer in layers] == [64, 32, 16, 1]
    assert generator.dense.out_features == 6 * 4 * 128
    use_normal_weights(generator, rng)
    assert layers[0].weight.std().item() == pytest.approx(1.0, abs=0.02)


@pytest.mark.parametrize("pac", [1, 2, 4])
def test_dense_critic_judges_groups(pac):
    critic = DenseCritic(32, pac)
    assert critic(torch.rand(8, 85, 8)).shape == (8 // pac,)


@pytest.mark.parametrize("critic", [DenseCritic(32, 1), DenseCritic(32, 2)])
def test_the_penalty_wants_a_slope_of_one(critic, rng):
    real, fake = torch.rand(8, 85, 8), torch.rand(8, 85, 8)
    assert gradient_penalty(critic, real, fake, rng).item() > 0

    class Plane(torch.nn.Module):
        inputs = critic.inputs

        def forward(self, cells):
            flat = cells.reshape(-1, self.inputs)
            return flat.sum(dim=1) / self.inputs**0.5

    assert gradient_penalty(Plane(), real, fake, rng).item() == pytest.approx(0.0, abs=1e-9)


def test_a_critic_without_batch_statistics_judges_alone():
    cells = torch.rand(6, 85, 8)
    for critic, alone in (
        (ConvCritic(batch_norm=False), True),
        (ConvCritic(batch_norm=True), False),
    ):
        together = critic(cells)[:2]
        apart = critic(cells[:2])
        assert torch.allclose(together, apart, atol=1e-5) == alone
