"""Sampling: reproducible, in batches, inside the chemical space."""

import numpy as np
import pytest
import torch

from screening.errors import CheckpointError
from screening.generation import chunks
from screening.generation.matgan.model import ConvGenerator, SlotGenerator
from screening.generation.matgan.sample import Sampler, _log_weight, _resample
from screening.generation.representation import element_numbers, encodable
from screening.generation.samplers import load_sampler
from screening.generation.space import ChemicalSpace


@pytest.fixture
def fresh():
    """An untrained sampler: all elements are about equally likely."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Sampler(SlotGenerator(latent=8, width=16, slots=3, noise=1.0))


def space(**arguments):
    return ChemicalSpace.create(**{"max_elements": 8, "max_atoms": 64, **arguments})


def test_the_same_seed_gives_the_same_samples(checkpoint):
    sampler = load_sampler(str(checkpoint))
    first = sampler.sample(500, seed=1)
    assert first.formulas() == sampler.sample(500, seed=1).formulas()
    assert first.formulas() != sampler.sample(500, seed=2).formulas()
    assert load_sampler(str(checkpoint)) is sampler


def test_samples_are_reduced_and_encodable(fresh):
    drawn = fresh.sample(3000, seed=0)
    assert 0 < len(drawn) <= 3000
    assert encodable(drawn).all()
    assert (np.gcd.reduce(drawn.counts, axis=1) == 1).all()


def test_many_samples_are_made_in_chunks(fresh, monkeypatch):
    monkeypatch.setattr(chunks, "CHUNK", 100)
    assert len(fresh.sample(950, seed=0)) > 900
    assert len(fresh.sample(0, seed=0)) == 0


def test_samples_stay_in_the_space(fresh):
    limits = space(
        chemsys=["Li", "Fe", "P", "O"], required=["Li", "O"], max_elements=3, max_atoms=12
    )
    drawn = fresh.sample(2000, seed=0, space=limits)
    assert limits.contains(drawn).all()
    # Three of 85 elements at random would be these about once in 10,000 draws.
    assert len(drawn) > 200
    excluded = space(chemsys=None, excluded=["O"])
    assert not (fresh.sample(2000, seed=0, space=excluded).numbers == 8).any()


def test_a_space_without_conditions_changes_nothing(fresh):
    free = space(chemsys=None)
    assert fresh.sample(500, seed=4, space=free).formulas() == fresh.sample(500, seed=4).formulas()


def test_conditioned_samples_are_distributed_as_rejection_would_have_it():
    """Masking with resampled latent vectors against brute rejection, same generator."""
    with torch.random.fork_rng():
        torch.manual_seed(1)
        generator = SlotGenerator(latent=4, width=16, slots=2, noise=1.0)
        torch.nn.init.normal_(generator.layers[-1].weight, std=1.5)
    sampler = Sampler(generator)
    numbers = element_numbers()[:40]
    from screening.elements import symbols

    half = space(chemsys=[symbols()[z] for z in numbers])
    conditioned = sampler.sample(20_000, seed=0, space=half)
    everything = sampler.sample(200_000, seed=1)
    rejected = everything[half.contains(everything)]

    def shares(drawn):
        counts = np.bincount(drawn.numbers[drawn.numbers > 0], minlength=104)
        return counts / counts.sum()

    assert len(rejected) > 5000
    assert 0.5 * np.abs(shares(conditioned) - shares(rejected)).sum() < 0.05


def test_weights_are_the_probability_of_staying_inside():
    scores = torch.zeros(1, 2, 86)
    scores[0, 0, 1] = 3.0
    allowed = torch.zeros(85, dtype=torch.bool)
    allowed[:10] = True
    nothing = torch.zeros(85, dtype=torch.bool)
    inside = scores.softmax(-1)[0, :, :11].sum(-1)
    found = _log_weight(scores, allowed, nothing).exp().item()
    assert found == pytest.approx(inside.prod().item())
    required = nothing.clone()
    required[0] = True
    share = scores.softmax(-1)[0, :, 1] / inside
    present = 1 - (1 - share).prod()
    found = _log_weight(scores, allowed, required).exp().item()
    assert found == pytest.approx((inside.prod() * present).item())


def test_resampling_follows_the_weights():
    rng = torch.Generator().manual_seed(0)
    weight = torch.tensor([0.1, 0.0, 0.6, 0.3], dtype=torch.float64)
    drawn = _resample(weight.log(), 20_000, rng)
    assert torch.allclose(drawn.bincount(minlength=4) / 20_000, weight.float(), atol=0.01)


def test_the_authors_network_is_rejected_into_a_space():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        generator = ConvGenerator(8)
        torch.nn.init.constant_(generator.layers[-2].bias, -1.6)
    drawn = Sampler(generator).sample(200, seed=0, space=space(chemsys=["Li", "O"]))
    assert space(chemsys=["Li", "O"]).contains(drawn).all()


def test_a_missing_checkpoint(tmp_path):
    with pytest.raises(CheckpointError, match="no checkpoint"):
        load_sampler(str(tmp_path / "nothing"))
