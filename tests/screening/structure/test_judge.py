"""The judge of relaxed candidates, trained on textbook crystals."""

import json

import numpy as np
import pytest

from screening.engines import make_engine
from screening.errors import CheckpointError, InputError
from screening.structure import judge_training
from screening.structure.candidates import find_candidates
from screening.structure.judge import FEATURES, Court, Judge, hear
from screening.structure.judge_training import train_judge
from screening.structure.prototypes import PrototypeGenerator
from screening.structure.ranker_training import train_ranker
from screening.structure.ranking_features import start_of
from screening.structure.target import Target
from screening.training.registry import TRAINERS
from screening.training.request import TrainRequest

RANKER = {"targets": "12", "epochs": "1", "smallest": "5", "rounds": "5", "evaluated": "6"}
JUDGE = {"targets": "16", "judging": "chgnet", "steps": "4", "heard": "4", "smallest": "3"}


@pytest.fixture(scope="module")
def ranker(textbook_file, tmp_path_factory):
    out = tmp_path_factory.mktemp("models") / "ranker"
    return out, train_ranker(TrainRequest((textbook_file,), out, options=RANKER))


@pytest.fixture(scope="module")
def options(ranker):
    return {**JUDGE, "ranker": str(ranker[0])}


@pytest.fixture(scope="module")
def trained(textbook_file, options, tmp_path_factory):
    out = tmp_path_factory.mktemp("models") / "judge"
    return out, train_judge(TrainRequest((textbook_file,), out, options=options))


@pytest.fixture(scope="module")
def candidates(small_bank):
    return find_candidates(small_bank.without(["KBr"]), {19: 1, 35: 1}, [2, 4, 8])


@pytest.fixture(scope="module")
def court():
    engine = make_engine("chgnet")
    return Court(engine, engine, steps=8, heard=3)


def test_card(trained, ranker):
    out, card = trained
    assert TRAINERS["judge"] == "screening.structure.judge_training:train_judge"
    assert card.arguments == {
        "ranker": ranker[1].sha256,
        "relaxing": "chgnet",
        "judging": "chgnet",
        "steps": 4,
        "heard": 4,
        "features": FEATURES,
    }
    assert 5 < card.metrics["n"] <= 16
    rates = [card.metrics[f"first_by_{name}"] for name in ("ranking", "energy", "judge")]
    assert all(0 < rate <= card.metrics["found"] for rate in rates)
    assert card.data == ranker[1].data
    assert json.loads((out / "card.json").read_text())["sha256"] == card.sha256
    assert not (out / ".state").exists()


def test_targets_are_new_to_the_ranking(textbook_file, options, tmp_path, monkeypatch):
    """The ranking was fitted on the first 12 targets; those of the judge follow."""
    from screening.structure import ranker_training

    seen = []
    leave_out = ranker_training.leave_out

    def note(bank, cell, *, known):
        found, formula = leave_out(bank, cell, known=known)
        seen.append((formula, tuple(cell[2])))
        return found, formula

    for module in (ranker_training, judge_training):
        monkeypatch.setattr(module, "leave_out", note)
    train_ranker(TrainRequest((textbook_file,), tmp_path / "r", options=RANKER))
    fitted = seen.copy()
    seen.clear()
    train_judge(TrainRequest((textbook_file,), tmp_path / "j", options=options))
    assert len(fitted) == 12
    assert len(seen) == 16
    assert len({*fitted, *seen}) == 28


def test_what_is_heard(candidates, court):
    shares = np.exp(start_of(candidates))
    case = hear(candidates, shares, court)
    assert case.features.shape == (len(case.chosen), FEATURES)
    assert len(set(case.chosen.tolist())) == len(case.chosen) == 3
    assert case.features[:, 0].min() == case.features[:, 1].min() == 0
    np.testing.assert_array_equal(case.features[:, 0], case.features[:, 1])  # one potential
    np.testing.assert_allclose(np.exp(case.start), shares[case.chosen])
    again = hear(candidates, shares, court)
    np.testing.assert_array_equal(again.features, case.features)


def test_candidates_without_energy_are_judged_as_unknown(candidates):
    engine = make_engine("emt")  # knows no K and no Br
    shares = np.exp(start_of(candidates))
    case = hear(candidates, shares, Court(engine, engine, steps=2, heard=2))
    assert np.isnan(case.features[:, [0, 1, 4]]).all()
    assert np.isfinite(case.features[:, [2, 3, 5, 6]]).all()


def test_shares_of_those_judged_keep_their_sum(trained, ranker, candidates):
    judge = Judge.load(str(trained[0]), ranker[1].ref())
    shares = np.exp(start_of(candidates))
    corrected = judge.correct(candidates, shares)
    changed = corrected != shares
    assert changed.sum() == 3
    np.testing.assert_allclose(corrected.sum(), shares.sum())


def test_generator_with_a_judge(trained, ranker, small_bank):
    generator = PrototypeGenerator(
        small_bank.without(["KBr"]), str(ranker[0]), judge=str(trained[0])
    )
    best = generator.generate(Target("KBr"), 5)[0]
    assert best.parameters["judge"] == trained[1].sha256
    assert best.parameters["space_group"] == 225


def test_training_goes_on_where_it_stopped(trained, textbook_file, options, tmp_path, monkeypatch):
    monkeypatch.setattr(judge_training, "PART", 4)
    request = TrainRequest((textbook_file,), tmp_path, resume=True, options=options)
    calls = []
    compute = judge_training._cases

    def stop(*arguments, **more):
        calls.append(1)
        if len(calls) > 10:
            raise KeyboardInterrupt
        return compute(*arguments, **more)

    monkeypatch.setattr(judge_training, "_cases", stop)
    with pytest.raises(KeyboardInterrupt):
        train_judge(request)
    calls.clear()
    assert train_judge(request).metrics["n"] == trained[1].metrics["n"]
    assert len(calls) == 8


def test_bad_requests(trained, textbook_file, small_bank, options, tmp_path):
    with pytest.raises(InputError, match="2 files"):
        train_judge(TrainRequest((textbook_file, textbook_file), tmp_path))
    with pytest.raises(InputError, match="not the file that the ranking"):
        train_judge(TrainRequest((textbook_file,), tmp_path, options={"judging": "chgnet"}))
    with pytest.raises(CheckpointError, match="fitted with another ranking"):
        PrototypeGenerator(small_bank, judge=str(trained[0])).judge  # noqa: B018 - it raises
    with pytest.raises(CheckpointError, match="judge"):
        Judge.load("ranker")
    with pytest.raises(InputError, match="energies=true"):
        PrototypeGenerator(small_bank, energies=False, judge="judge")
