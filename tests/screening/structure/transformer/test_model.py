"""Training, decoding, the generator in the pool, and the evaluation."""

import numpy as np
import pytest
import torch

from screening.checkpoints import load_checkpoint
from screening.crystal.crystals import primitive_cell, standardise
from screening.crystal.space_groups import space_group
from screening.errors import CheckpointError, InputError
from screening.structure import Target, build_pool
from screening.structure.transformer.decode import Given, decode, group_chances
from screening.structure.transformer.generator import TransformerGenerator
from screening.structure.transformer.model import TransformerModel, count_units
from screening.structure.transformer.network import CrystalTransformer
from screening.structure.transformer.sampling import TEMPERATURES, choose_groups, sample
from screening.structure.transformer.train import validator
from screening.training.registry import evaluate, train
from screening.training.request import EvaluateRequest, TrainRequest

SMALL = {
    "width": "32",
    "layers": "2",
    "dropout": "0",
    "max_atoms": "8",
    "settings": "1",
    "shift": "0",
    "epochs": "40",
    "batch_size": "16",
    "learning_rate": "0.01",
    "ema": "0.9",
    "validate_every": "40",
    "test_fraction": "0.2",
    "validation_fraction": "0.1",
}
ROCK_SALT = {11: 1, 17: 1}


@pytest.fixture(scope="module")
def trained(textbook_file, tmp_path_factory):
    folder = tmp_path_factory.mktemp("transformer") / "transformer"
    train("transformer", TrainRequest((textbook_file,), folder, seed=1, options=SMALL))
    return folder


@pytest.fixture(scope="module")
def model(trained):
    return TransformerModel.load(str(trained))


@pytest.fixture(scope="module")
def untrained():
    torch.manual_seed(0)
    return CrystalTransformer(32, 1).eval()


def test_a_tiny_network_learns_the_textbook(model, make):
    fresh = make.table_of([make.rock_salt("Na", "Br"), make.rock_salt("K", "I")])
    assert validator(fresh)(model.network) == 0
    chances = group_chances(model.network, [{12: 1, 22: 1, 8: 3}, ROCK_SALT])
    assert [int(row.argmax()) + 1 for row in chances] == [221, 225]


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_crystals_have_the_composition_and_the_symmetry_of_their_group(untrained, temperature):
    counts = {38: 1, 22: 1, 8: 3}
    groups = [2, 8, 62, 99, 123, 160, 189, 221]
    possible = group_chances(untrained, [counts])[0] > 0
    given = [Given(counts, g, temperature=temperature) for g in groups if possible[g - 1]]
    for wanted, made in zip(given, decode(untrained, given, np.random.default_rng(0)), strict=True):
        crystal = made.crystal
        assert crystal.number == wanted.group
        numbers, amounts = np.unique(primitive_cell(crystal)[2], return_counts=True)
        assert dict(zip(numbers.tolist(), amounts.tolist(), strict=True)) == counts
        assert made.log_likelihood < 0
        assert 0 < made.calls < 40


def test_decoded_atoms_have_at_least_the_operations_of_the_group(model):
    for one in sample(model.network, {30: 2, 8: 2}, 8, np.random.default_rng(0)):
        if one.possible:
            found = standardise(primitive_cell(one.crystal), (0.01,))
            assert _order(found.group) >= _order(space_group(one.decoded_group))
            assert found.number == one.crystal.number or found.n_atoms < one.crystal.n_atoms


def _order(group):
    return len(group.rotations) / group.n_centring


def test_what_is_given_stays(untrained):
    cell = np.array([4.5, np.nan, 7.7, np.nan, np.nan, np.nan])
    made = decode(untrained, [Given({22: 2, 8: 4}, 136, cell)], np.random.default_rng(0))[0]
    assert made.crystal.cell == pytest.approx([4.5, 4.5, 7.7, 90, 90, 90])
    found = sample(untrained, ROCK_SALT, 6, np.random.default_rng(0), groups=[221, 216])
    assert {one.decoded_group for one in found} == {221, 216}
    assert sample(untrained, {11: 1, 17: 3}, 6, np.random.default_rng(0), groups=[227]) == []


def test_the_order_of_elements_does_not_matter(untrained):
    one, two = (
        sample(untrained, counts, 4, np.random.default_rng(5))
        for counts in (ROCK_SALT, dict(reversed(ROCK_SALT.items())))
    )
    assert [a.decoded_group for a in one] == [b.decoded_group for b in two]
    assert [a.log_likelihood for a in one] == pytest.approx(
        [b.log_likelihood for b in two], abs=1e-3
    )


def test_space_groups_are_distinct_first_and_then_as_likely_as_they_are():
    chances = np.zeros(230)
    chances[[224, 220, 215]] = 0.7, 0.2, 0.1
    chosen = choose_groups(chances, 20, np.random.default_rng(0), TEMPERATURES[0])
    assert len(chosen) == 20
    assert [pair for pair in chosen if pair[1] == 0] == [(225, 0.0), (221, 0.0), (216, 0.0)]
    drawn = [group for group, temperature in chosen if temperature == TEMPERATURES[0]]
    assert drawn.count(225) == pytest.approx(0.7 * len(drawn), abs=1)


def test_the_generator_proposes_distinct_crystals_and_repeats_itself(model):
    generator = TransformerGenerator(model)
    proposals = generator.generate(Target.of_cell("NaCl"), 4, seed=1)
    assert 1 <= len(proposals) <= 4
    assert proposals == TransformerGenerator(model).generate(Target.of_cell("NaCl"), 4, seed=1)
    scores = [proposal.score for proposal in proposals]
    assert scores == sorted(scores, reverse=True)
    assert proposals[0].template == "225_ab"
    assert proposals[0].parameters["network_calls"] < 50
    assert generator.generate(Target.of_cell("Na20Cl20"), 4) == []


def test_a_wanted_volume_and_wanted_groups_are_kept(model):
    target = Target("NaCl", units=(1,), volume_per_atom=20.0)
    made = TransformerGenerator(model, space_groups=[221]).generate(target, 2)
    assert made
    for proposal in made:
        assert proposal.structure.volume / 2 == pytest.approx(20.0)
        assert proposal.parameters["decoded_space_group"] == 221


def test_the_pool_says_what_the_transformer_found(model):
    generator = TransformerGenerator(model)
    pool = build_pool(Target("KBr"), {"transformer": 3}, 2, generators={"transformer": generator})
    assert 1 <= len(pool) <= 3
    origin = pool[0].origins[0]
    assert (origin.method, origin.version, origin.rank, origin.seed) == ("transformer", "1", 1, 2)
    assert origin.parameters["checkpoint"] == model.ref.sha256
    again = build_pool(Target("KBr"), {"transformer": 3}, 2, generators={"transformer": generator})
    assert [one.structure_id for one in pool] == [one.structure_id for one in again]


def test_numbers_of_formula_units_are_as_common_as_in_training():
    numbers = np.array([[11, 17, 0, 0], [11, 17, 0, 0], [11, 11, 17, 17]], dtype=np.uint8)
    counts = count_units(numbers, 4)
    assert (counts[2, 1], counts[2, 2], counts.sum()) == (2, 1, 3)


def test_the_card_and_the_evaluation(trained, textbook_file, small_bank, monkeypatch):
    card = load_checkpoint(str(trained)).card
    assert 0 <= card.metrics["validation_match"] <= 1
    assert len(card.history["transformer"]["loss"]) == 1  # those with a metric
    monkeypatch.setattr("screening.prototypes.bank.Bank.load", lambda _: small_bank)
    request = EvaluateRequest(
        textbook_file, checkpoint=str(trained), top_k=3, sample=6, options={"energies": "false"}
    )
    result = evaluate("transformer", request)
    assert result["n"] == 6
    assert 0.4 < result["match"]["loose"]["3"] <= 1
    assert result["match"]["loose"]["1"] <= result["match"]["loose"]["3"]
    assert 0 < result["possible"] <= result["valid_distance"] <= 1
    assert 0 < result["unique"] <= 1
    assert 0 <= result["novel"] < 1
    assert result["network_calls"] < 50
    with pytest.raises(InputError, match="top_k=0"):
        evaluate("transformer", EvaluateRequest(textbook_file, str(trained), top_k=0))


def test_training_starts_from_a_checkpoint(trained, textbook_file, tmp_path):
    options = SMALL | {"epochs": "1", "learning_rate": "1e-9", "ema": "0", "start": str(trained)}
    train("transformer", TrainRequest((textbook_file,), tmp_path / "on", seed=1, options=options))
    old, new = (load_checkpoint(str(folder)).tensors for folder in (trained, tmp_path / "on"))
    for name in old:
        assert np.allclose(old[name], new[name], atol=1e-3), name


def test_bad_input(trained, textbook_file, tmp_path):
    with pytest.raises(InputError, match="multiple of 32"):
        train("transformer", TrainRequest((textbook_file,), tmp_path, options={"width": "40"}))
    with pytest.raises(InputError, match="2 files"):
        train("transformer", TrainRequest((textbook_file,) * 2, tmp_path))
    other = SMALL | {"layers": "1", "width": "64", "start": str(trained)}
    with pytest.raises(InputError, match="start="):
        train("transformer", TrainRequest((textbook_file,), tmp_path / "x", options=other))
    with pytest.raises(CheckpointError, match="no checkpoint 'nowhere'"):
        TransformerModel.load("nowhere")
