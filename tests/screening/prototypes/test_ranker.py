"""The learned ranking, trained on textbook crystals."""

import json
import shutil

import numpy as np
import pytest

from screening.engines import make_engine
from screening.engines.single_points import single_points
from screening.errors import CheckpointError, InputError
from screening.prototypes import train_ranker as ranker_training
from screening.prototypes.bank import Bank
from screening.prototypes.proposals import find_candidates
from screening.prototypes.ranker import Ranker
from screening.prototypes.ranking_features import FEATURES, describe, describe_energies, start_of
from screening.prototypes.train_ranker import train_ranker
from screening.structure.prototypes import PrototypeGenerator
from screening.structure.request import Target
from screening.training.registry import TRAINERS
from screening.training.request import TrainRequest

OPTIONS = {"targets": "60", "epochs": "1", "engine": "none", "smallest": "5", "rounds": "20"}


@pytest.fixture(scope="module")
def trained(textbook_file, tmp_path_factory):
    out = tmp_path_factory.mktemp("models") / "own"
    return out, train_ranker(TrainRequest((textbook_file,), out, options=OPTIONS))


@pytest.fixture(scope="module")
def candidates(small_bank):
    return find_candidates(small_bank.without(["KBr"]), {19: 1, 35: 1}, [2, 4])


def test_card(trained, textbook_file):
    out, card = trained
    assert TRAINERS["ranker"] == "screening.prototypes.train_ranker:train_ranker"
    assert card.arguments == {"engine": None, "evaluated": 16, "features": FEATURES}
    assert card.metrics["n"] > 30
    assert card.metrics["found"] > 0.9
    assert card.data[0].name == textbook_file.name
    assert json.loads((out / "card.json").read_text())["sha256"] == card.sha256
    assert not (out / ".state").exists()


def test_a_ranker_of_other_features_is_refused(trained, tmp_path):
    shutil.copytree(trained[0], tmp_path / "old")
    card = json.loads((trained[0] / "card.json").read_text())
    del card["arguments"]["features"]
    (tmp_path / "old" / "card.json").write_text(json.dumps(card))
    with pytest.raises(CheckpointError, match="fit it again"):
        Ranker.load(str(tmp_path / "old"))


def test_the_right_structure_comes_first(trained, small_bank):
    for formula, group in (("KBr", 225), ("GaAs", 216), ("SrHfO3", 221)):
        generator = PrototypeGenerator(small_bank.without([formula]), str(trained[0]))
        best = generator.generate(Target(formula), 5)[0]
        assert best.parameters["space_group"] == group
        assert best.parameters["engine"] is None
        assert best.parameters["ranker"] == trained[1].sha256


def test_training_goes_on_where_it_stopped(trained, textbook_file, tmp_path, monkeypatch):
    request = TrainRequest((textbook_file,), tmp_path, resume=True, options=OPTIONS)
    calls = []
    compute = ranker_training._cases

    def stop(*arguments, **options):
        calls.append(1)
        if len(calls) > 55:
            raise KeyboardInterrupt
        return compute(*arguments, **options)

    monkeypatch.setattr(ranker_training, "_cases", stop)
    with pytest.raises(KeyboardInterrupt):
        train_ranker(request)
    calls.clear()
    assert train_ranker(request).sha256 == trained[1].sha256
    assert len(calls) < 55


def test_bad_requests(textbook_file, tmp_path):
    with pytest.raises(InputError, match="2 files"):
        train_ranker(TrainRequest((textbook_file, textbook_file), tmp_path))
    with pytest.raises(InputError, match="targets"):
        train_ranker(TrainRequest((textbook_file,), tmp_path, options={"target": "3"}))
    with pytest.raises(CheckpointError, match="ranker"):
        Ranker.load("prototypes")


def test_features_do_not_know_what_is_left_out(small_bank):
    """Describing a left-out formula equals describing it with a bank that never had it."""
    composition = {19: 1, 35: 1}
    without = find_candidates(small_bank, composition, [2], without="KBr")
    never = find_candidates(small_bank.without(["KBr"]), composition, [2])
    left_out = describe(small_bank, without, without="KBr")
    unknown = describe(small_bank.without(["KBr"]), never)
    assert left_out.shape == unknown.shape == (len(without), FEATURES)
    names = [[item.crystal.number for item in found.proposed] for found in (without, never)]
    assert names[0] == names[1]
    # volumes of the elements and of prototypes are fitted on the whole bank
    np.testing.assert_allclose(left_out, unknown, atol=0.05)
    np.testing.assert_allclose(np.exp(start_of(without)).sum(), 1)


def test_energies_are_lowest_at_their_volume(candidates):
    engine = make_engine("chgnet")
    energies = single_points([item.cell for item in candidates.proposed], engine)
    assert energies.shape == (len(candidates), 6)
    assert np.isfinite(energies).all()
    squeezed = np.abs(energies[:, 2]) > 1
    assert (np.abs(energies[squeezed, 5]) < np.abs(energies[squeezed, 2])).all()
    features = describe_energies(energies, start_of(candidates))
    assert features[:, 0].min() == 0
    assert features.shape == (len(candidates), 9)


def test_the_noise_of_single_precision_is_no_feature():
    rng = np.random.default_rng(0)
    symmetric = np.array([-3.9, 0.0, 0.0, 0.0, -3.9, 0.0])  # no force, no stress
    bent = np.array([-3.8, 1.0019, 3.7662, 2.8382, -3.8421, -0.3482])
    energies, start = np.stack([symmetric, symmetric, bent]), np.log([0.5, 0.3, 0.2])
    quiet = describe_energies(energies, start)
    for _ in range(20):
        noise = rng.normal(scale=1e-7, size=energies.shape)
        np.testing.assert_array_equal(describe_energies(energies + noise, start), quiet)


def test_what_an_engine_refuses_has_no_energy(candidates):
    engine = make_engine("emt")  # knows no K and no Br
    energies = single_points([item.cell for item in candidates.proposed], engine)
    assert np.isnan(energies).all()
    features = describe_energies(energies, start_of(candidates))
    assert np.isnan(features[:, 0]).all()


def test_ranking_without_energies_is_possible(small_bank):
    bank = small_bank.without(["KBr"])
    with_, without = (
        PrototypeGenerator(bank, energies=energies).generate(Target("KBr"), 5)
        for energies in (True, False)
    )
    assert with_[0].parameters["engine"] == "chgnet"
    assert without[0].parameters["engine"] is None
    assert with_[0].parameters["space_group"] == without[0].parameters["space_group"] == 225


def test_an_empty_bank_has_no_candidates(small_bank):
    lonely = Bank.from_structures([small_bank.structure(0)])
    assert not len(find_candidates(lonely, {3: 2, 8: 3}, [5]))
