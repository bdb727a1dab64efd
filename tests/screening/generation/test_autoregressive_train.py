"""Training and sampling of the order-free autoregressive model."""

import numpy as np
import pytest
import torch

from screening.balance import accepted, balance_codes
from screening.checkpoints import load_checkpoint
from screening.errors import CheckpointError, InputError
from screening.generation import chunks
from screening.generation.autoregressive.model import SetModel
from screening.generation.autoregressive.options import SetOptions
from screening.generation.autoregressive.sample import SetSampler, _draw
from screening.generation.autoregressive.train import train_compositions
from screening.generation.data import load_formulas
from screening.generation.representation import encodable
from screening.generation.samplers import load_sampler
from screening.generation.space import ChemicalSpace
from screening.progress import listen
from screening.training.data import fingerprints, unseen
from screening.training.loop import seeded
from screening.training.registry import evaluate, train
from screening.training.request import EvaluateRequest, TrainRequest

from .conftest import FAST_SET


class StopTrainingError(Exception):
    pass


def request(path, out, **changes):
    options = FAST_SET | {name: str(value) for name, value in changes.pop("options", {}).items()}
    return TrainRequest(data=(path,), out=out, seed=3, options=options, **changes)


def space(**arguments):
    return ChemicalSpace.create(**{"max_elements": 8, "max_atoms": 64, **arguments})


@pytest.fixture
def fresh():
    """An untrained sampler."""
    with seeded(0):
        return SetSampler(SetModel(width=16, depth=1, amount_width=8))


def test_training_learns(set_checkpoint, formulas_file, tmp_path):
    """Elements, amounts and held-out formulas come out that fresh weights do not know."""
    start = {"epochs": 1, "learning_rate": 1e-9}
    before = train_compositions(request(formulas_file, tmp_path / "a", options=start)).metrics
    after = load_checkpoint(str(set_checkpoint)).card.metrics
    assert before["element_distance"] > 0.7
    assert after["element_distance"] < 0.3
    assert after["amount_distance"] < before["amount_distance"] - 0.1
    assert before["recovered"] < 0.01
    assert after["recovered"] > 0.2
    assert after["valid"] > before["valid"] + 0.2


def test_the_card_says_what_was_done(set_checkpoint, formulas_file):
    loaded = load_checkpoint(str(set_checkpoint))
    card = loaded.card
    assert (card.name, card.metrics["n"], card.metrics["decodable"]) == ("compositions", 3000, 1.0)
    assert card.metrics["table"] == "icsd24_filtered"
    assert "valid by SMACT's rules with the table icsd24_filtered" in card.description
    assert (card.metrics["temperature"], card.metrics["amount_temperature"]) == tuple(
        loaded.tensors["temperatures"]
    )
    weights = [t for name, t in loaded.tensors.items() if name.startswith("generator.")]
    assert {t.dtype for t in weights} == {np.dtype(np.float16)}
    data = load_formulas([formulas_file], SetOptions(), seed=3)
    assert card.split["n_held_out"] == data.held_out.sum() > 20
    out = dict(zip(data.formulas, data.held_out, strict=True))
    assert (loaded.tensors["seen_formulas"] == fingerprints([f for f in out if not out[f]])).all()
    assert unseen([f for f in out if out[f]], loaded.tensors["seen_formulas"]).all()


def test_the_same_seed_gives_the_same_weights(set_checkpoint, formulas_file, tmp_path):
    again = train("compositions", request(formulas_file, tmp_path / "again"))
    assert again.sha256 == load_checkpoint(str(set_checkpoint)).card.sha256


def test_an_interrupted_run_ends_with_the_same_weights(
    set_checkpoint, formulas_file, tmp_path, monkeypatch
):
    monkeypatch.setattr("screening.generation.autoregressive.train.STATE_EVERY", 0.0)
    out = tmp_path / "compositions"

    def stop(progress):
        if progress.stage == "compositions" and progress.done == 40:
            raise StopTrainingError

    with listen(stop), pytest.raises(StopTrainingError):
        train_compositions(request(formulas_file, out))
    assert (out / ".state" / "compositions.safetensors").is_file()
    with pytest.raises(InputError, match="other options, data or seed"):
        train_compositions(
            request(formulas_file, out, resume=True, options={"learning_rate": 1e-3})
        )
    steps = []
    with listen(lambda p: steps.append(p.done) if p.stage == "compositions" else None):
        resumed = train_compositions(request(formulas_file, out, resume=True))
    assert steps[0] == 40
    assert resumed.sha256 == load_checkpoint(str(set_checkpoint)).card.sha256
    assert not (out / ".state").exists()


def test_the_same_seed_gives_the_same_samples(set_checkpoint):
    sampler = load_sampler(str(set_checkpoint))
    first = sampler.sample(500, seed=1)
    assert first.formulas() == sampler.sample(500, seed=1).formulas()
    assert first.formulas() != sampler.sample(500, seed=2).formulas()
    assert load_sampler(str(set_checkpoint)) is sampler


def test_all_samples_are_compositions(fresh, monkeypatch):
    monkeypatch.setattr(chunks, "CHUNK", 100)
    drawn = fresh.sample(2950, seed=0)
    assert len(drawn) == 2950
    assert encodable(drawn).all()
    assert (np.gcd.reduce(drawn.counts, axis=1) == 1).all()
    assert len(fresh.sample(0, seed=0)) == 0


def test_required_elements_come_first_and_barred_ones_never(fresh):
    system = space(chemsys=["Li", "Fe", "P", "O"], required=["Li", "O"], max_atoms=40)
    drawn = fresh.sample(2000, seed=0, space=system)
    assert system.contains(drawn).all()
    assert len(drawn) == 2000  # all elements can be kept to, and nothing is too large
    required = space(chemsys=None, required=["Xe"], excluded=["O", "Li"])
    drawn = fresh.sample(2000, seed=0, space=required)
    assert (drawn.numbers == 54).any(axis=1).all()
    assert not np.isin(drawn.numbers, [8, 3]).any()


def test_limits_of_size_are_kept(fresh):
    small = space(chemsys=None, max_elements=3, max_atoms=12)
    drawn = fresh.sample(2000, seed=0, space=small)
    assert 0 < len(drawn) < 2000
    assert small.contains(drawn).all()
    everything = fresh.sample(2000, seed=0)
    assert drawn.formulas() == everything[small.contains(everything)].formulas()


def test_a_space_without_compositions_gives_none(fresh):
    one = ChemicalSpace((3,), (), 1, 8, 64)
    assert len(fresh.sample(50, seed=0, space=one)) == 0


def test_samples_follow_the_model(set_checkpoint):
    """At temperature 1, the first element is drawn as often as its probability says."""
    sampler = load_sampler(str(set_checkpoint), 1.0, 1.0)
    model = sampler.model
    with torch.inference_mode():
        hidden = model.trunk(model.empty[None])
        none = torch.zeros(1, 85, dtype=torch.bool)
        odds = model.element_scores(hidden, none).softmax(1).expand(40_000, -1)
        drawn = _draw(odds.log(), 1.0, torch.Generator().manual_seed(0))
    assert torch.allclose(drawn.bincount(minlength=86) / 40_000, odds[0], atol=0.01)


def test_temperature_sharpens_or_flattens():
    scores = torch.tensor([[0.0, 1.0, -torch.inf]]).expand(20_000, -1)
    shares = [
        (_draw(scores, t, torch.Generator().manual_seed(0)) == 1).float().mean().item()
        for t in (0.5, 1.0, 10.0)
    ]
    expected = [torch.sigmoid(torch.tensor(1 / t)).item() for t in (0.5, 1.0, 10.0)]
    assert shares == pytest.approx(expected, abs=0.02)
    nothing = torch.full((3, 5), -torch.inf)
    assert _draw(nothing, 1.0, torch.Generator()).tolist() == [4, 4, 4]


def test_evaluating_at_another_temperature(set_checkpoint, checkpoint, formulas_file):
    def measured(folder, **options):
        options = {"samples": "2000"} | options
        return evaluate(
            "generation", EvaluateRequest(formulas_file, checkpoint=str(folder), options=options)
        )

    own, cold = measured(set_checkpoint), measured(set_checkpoint, temperature="0.5")
    assert (own["temperature"], cold["temperature"]) == (1.6, 0.5)
    assert cold["unique"] < own["unique"]
    own, cold = measured(checkpoint), measured(checkpoint, temperature="0.01")
    assert (own["temperature"], cold["temperature"]) == (0.5, 0.01)
    assert cold["unique"] < own["unique"]
    with pytest.raises(InputError, match=r"amount_temperature=0\.5"):
        measured(checkpoint, amount_temperature="0.5")


def test_another_model_is_no_generator():
    with pytest.raises(CheckpointError, match="'energy' is a .*, no generator"):
        load_sampler("energy")


def test_the_bundled_model_keeps_its_promises():
    """Fresh samples, other than those of its card, and no filter."""
    loaded = load_checkpoint("compositions")
    drawn = load_sampler("compositions").sample(5000, seed=123)
    valid = accepted(balance_codes(drawn, table=loaded.card.metrics["table"]))
    assert valid.mean() > 0.9
    formulas = drawn[valid].unique().formulas()
    assert len(formulas) > 0.9 * valid.sum()
    assert unseen(formulas, loaded.tensors["seen_formulas"]).mean() > 0.85
    assert (loaded.folder / "weights.safetensors").stat().st_size < 2_000_000
