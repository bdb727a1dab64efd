import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from screening.checkpoints import load_checkpoint
from screening.errors import InputError
from screening.evaluation.prototypes import HELD_OUT, _family, _parts, evaluate_structures
from screening.prototypes.bank import Bank
from screening.prototypes.train import STATE, train_bank
from screening.training.data import canonical_formulas, held_out, unseen
from screening.training.registry import EVALUATORS, TRAINERS
from screening.training.request import EvaluateRequest, TrainRequest


@pytest.fixture(scope="module")
def trained(textbook_file, tmp_path_factory):
    out = tmp_path_factory.mktemp("checkpoints") / "textbook"
    request = TrainRequest(data=(textbook_file,), out=out, seed=4, options={"epochs": "2"})
    return out, train_bank(request)


def test_checkpoint_says_what_it_is(trained, textbook_file):
    out, card = trained
    assert card.name == "textbook"
    assert card.data[0].rows == len(pd.read_parquet(textbook_file))
    assert card.hyperparameters["epochs"] == 2
    assert card.metrics["prototypes"] == 5
    assert sorted(path.name for path in out.iterdir()) == ["card.json", "weights.safetensors"]


def test_checkpoint_remembers_the_formulas(trained, textbook_file):
    out, _ = trained
    seen = load_checkpoint(str(out)).tensors["seen_formulas"]
    formulas = canonical_formulas(pd.read_parquet(textbook_file)["formula"].tolist())
    assert not unseen(formulas, seen).any()
    assert unseen(["NaAu"], seen).all()


def test_training_is_deterministic_and_resumable(trained, textbook_file, tmp_path, monkeypatch):
    _, card = trained
    out = tmp_path / "textbook"
    request = TrainRequest(
        data=(textbook_file,), out=out, seed=4, resume=True, options={"epochs": "2"}
    )

    def stop(path, bank, fit, keep=None):
        from screening.prototypes import train

        original(path, bank, fit)
        if fit:
            monkeypatch.setattr(train, "_keep", original)
            raise KeyboardInterrupt

    from screening.prototypes import train

    original = train._keep
    monkeypatch.setattr(train, "_keep", stop)
    with pytest.raises(KeyboardInterrupt):
        train_bank(request)
    assert (out / STATE).is_file()
    monkeypatch.setattr(Bank, "from_table", None)  # the kept arrays are used
    assert train_bank(request).sha256 == card.sha256
    assert not (out / STATE).exists()


def test_bad_options(textbook_file, tmp_path):
    for options, message in (({"epoch": "2"}, "epochs"), ({"measured": "2"}, "measured")):
        with pytest.raises(InputError, match=message):
            train_bank(TrainRequest((textbook_file,), tmp_path, options=options))
    with pytest.raises(InputError, match="no data"):
        train_bank(TrainRequest((), tmp_path))
    with pytest.raises(InputError, match="no such file"):
        train_bank(TrainRequest((Path("missing.parquet"),), tmp_path))


def test_registry_names_are_right():
    assert TRAINERS["prototypes"] == "screening.prototypes.train:train_bank"
    assert EVALUATORS["structures"] == "screening.evaluation.prototypes:evaluate_structures"


def evaluate(path, **options):
    fields = {"sample": 12, "seed": 1, "options": {"epochs": "1"}, **options}
    return evaluate_structures(EvaluateRequest(data=path, **fields))


def test_evaluation_of_an_own_bank(textbook_file):
    result = evaluate(textbook_file)
    assert json.loads(json.dumps(result)) == result
    assert result["n"] == 12
    assert result["checkpoint"] is None
    assert result["n_seen"] == 0
    total = len(pd.read_parquet(textbook_file))
    assert result["bank"]["decorations"] == total - 12
    for part in (result, result["unknown_count"]):
        for tolerance in ("loose", "strict"):
            rates = part["match"][tolerance]
            assert list(rates) == ["1", "5", "20"]
            assert rates["1"] <= rates["5"] <= rates["20"]
            for rank, (low, high) in part["match_interval"][tolerance].items():
                assert low <= rates[rank] <= high
    assert result["match"]["loose"]["5"] > 0.7
    assert 0 <= result["rmse_strict"] <= result["rmse"] < 0.1
    parts = [result["parts"].get(name, {"n": 0}) for name in ("alone", "polymorphs")]
    assert sum(part["n"] for part in parts) == 12
    first = sum(part["n"] * part["match"]["loose"]["1"] for part in parts if part["n"])
    assert first == pytest.approx(12 * result["match"]["loose"]["1"])


def test_evaluation_tells_stable_crystals_and_polymorphs_apart():
    table = pd.DataFrame({"e_above_hull": [0.0, 0.05, 0.0, np.nan], "n_sites": [2, 2, 4, 2]})
    parts = _parts(table, ["NaCl", "NaCl", "NaCl", "KCl"], np.array([0, 2, 1, 3]))
    assert {name: mask.tolist() for name, mask in parts.items()} == {
        "on_hull": [True, True, False, False],
        "above_hull": [False, False, True, False],
        "alone": [False, True, False, True],
        "polymorphs": [True, False, True, False],
    }


def test_evaluation_is_deterministic(textbook_file):
    first, second = evaluate(textbook_file), evaluate(textbook_file)
    for result in (first, second):
        result.pop("seconds_per_target")
    assert first == second


def test_a_bank_is_masked(trained, textbook_file):
    out, card = trained
    result = evaluate(textbook_file, checkpoint=str(out))
    assert result["n_seen"] == result["n"] == 12
    assert result["checkpoint"] == {"name": card.name, "sha256": card.sha256}
    assert result["bank"]["decorations"] == len(Bank.load(str(out))) - 12


def test_families_can_be_held_out(textbook_file):
    families = [
        _family(Bank.from_table(pd.read_parquet(textbook_file)).crystal(i)) for i in range(5)
    ]
    held = {seed: held_out(families, fraction=HELD_OUT, seed=seed) for seed in range(30)}
    some = next(seed for seed in held if held[seed].sum() == 1)
    none = next(seed for seed in held if not held[seed].any())
    result = evaluate(textbook_file, holdout="prototype", seed=some)
    assert result["n"] > 0
    assert result["match"]["strict"]["20"] == 0
    with pytest.raises(InputError, match="nothing to measure"):
        evaluate(textbook_file, holdout="prototype", seed=none)


def test_ranks_follow_top_k(textbook_file):
    result = evaluate(textbook_file, sample=3, top_k=3)
    assert list(result["match"]["loose"]) == ["1", "3"]


def test_bad_requests(textbook_file):
    with pytest.raises(InputError, match="holdout='site'"):
        evaluate(textbook_file, holdout="site")
    with pytest.raises(InputError, match="top_k=0"):
        evaluate(textbook_file, top_k=0)
    with pytest.raises(InputError, match="width"):
        evaluate(textbook_file, options={"width": "3"})


def test_own_hold_out_without_a_sample(textbook_file):
    result = evaluate(textbook_file, sample=None)
    assert 0 < result["n"] < 0.3 * len(pd.read_parquet(textbook_file))
    assert np.isfinite(result["match"]["loose"]["1"])
