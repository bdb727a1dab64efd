"""Training, checkpoint, prediction and evaluation on a chemistry with a known energy."""

import dataclasses
import json
import shutil

import numpy as np
import pandas as pd
import pytest

from screening.checkpoints import load_checkpoint
from screening.composition import CompositionArray
from screening.energy import EnergyModel
from screening.energy.evaluate import evaluate_energy
from screening.energy.train import train_energy
from screening.errors import CheckpointError, InputError
from screening.training.data import canonical_formulas, held_out
from screening.training.request import EvaluateRequest, TrainRequest


@pytest.fixture(scope="module")
def model(trained):
    return EnergyModel.load(str(trained.folder))


def evaluate(trained, path, **options):
    request = EvaluateRequest(data=path, checkpoint=str(trained.folder), options=options)
    return evaluate_energy(request)


def test_card_says_what_was_done(trained):
    card = trained.card
    assert [source.name for source in card.data] == ["new.parquet", "old.parquet"]
    assert card.arguments["references"] == ["new", "old"]
    assert set(card.metrics) == {"new", "new (fast)", "old", "old (fast)"}
    assert list(card.hyperparameters["roost_head"]) == [32, 16]
    assert card.hyperparameters["width"] == 48
    split = card.split
    n = len({f for p in trained.data for f in canonical_formulas(pd.read_parquet(p).formula)})
    assert split["n_train"] + split["n_calibration"] + split["n_test"] == n
    assert card.wall_time > 0
    assert sorted(p.name for p in trained.folder.iterdir()) == ["card.json", "weights.safetensors"]


def test_held_out_formulas_are_predicted(trained):
    for metrics in trained.card.metrics.values():
        assert metrics["r2"] > 0.8
        assert metrics["spearman"] > 0.9
        assert 0.75 < metrics["coverage90"] <= 1
        low, high = metrics["intervals"]["mae"]
        assert low <= metrics["mae"] <= high


def test_references_keep_their_corrections_apart(model):
    oxides = ["MgO", "Al2O3", "TiO2", "CaO"]
    compositions = CompositionArray.from_formulas([*oxides, "NaCl", "KCl", "MgS", "FeN"])
    shift = model.predict(compositions).mean - model.predict(compositions, reference="old").mean
    assert shift[:4].mean() > 0.1
    assert np.abs(shift[4:]).mean() < 0.05


def test_prediction_is_consistent(model):
    compositions = CompositionArray.from_formulas(["NaCl", "MgO", "Fe2O3"])
    prediction = model.predict(compositions)
    assert len(prediction) == 3
    for name in ("mean", "std", "lower90", "upper90"):
        values = getattr(prediction, name)
        assert values.shape == (3,)
        assert values.dtype == np.float32
    assert (prediction.lower90 < prediction.mean).all()
    assert (prediction.mean < prediction.upper90).all()
    assert (prediction.std > 0).all()


def test_document(model):
    prediction = model.predict(CompositionArray.from_formulas(["NaCl"]))
    document = prediction.document(0)
    assert document.formation_energy_per_atom == float(prediction.mean[0])
    assert document.lower90 < document.formation_energy_per_atom < document.upper90
    assert document.reference == "new"
    assert document.model.name == "small"
    assert len(document.model.sha256) == 64


def test_multiples_and_batches_change_nothing(model):
    compositions = CompositionArray.from_formulas(["NaCl", "Na4Cl4", "MgO", "TiO2", "Ti5O10"])
    whole = model.predict(compositions)
    small = model.predict(compositions, batch_size=2)
    np.testing.assert_allclose(whole.mean, small.mean, atol=1e-6)
    np.testing.assert_allclose(whole.mean[[0, 3]], whole.mean[[1, 4]], atol=1e-6)


def test_same_call_same_bits(model):
    compositions = CompositionArray.from_formulas(["NaCl", "MgO"])
    first, second = model.predict(compositions), model.predict(compositions)
    np.testing.assert_array_equal(first.mean, second.mean)
    np.testing.assert_array_equal(first.std, second.std)


def test_no_rows(model):
    assert len(model.predict(CompositionArray.from_formulas([]))) == 0


def test_unknown_reference(model):
    with pytest.raises(InputError, match=r"unknown reference='x'.*\['new', 'old'\]"):
        model.predict(CompositionArray.from_formulas(["NaCl"]), reference="x")


def test_seen_formulas_are_left_out(trained, model):
    formulas = canonical_formulas(pd.read_parquet(trained.data[0]).formula)
    test = held_out(formulas, fraction=0.1, seed=7)
    result = evaluate(trained, trained.data[0])
    assert result["n"] == len({f for f, t in zip(formulas, test, strict=True) if t})
    assert result["n_seen"] == len({f for f, t in zip(formulas, test, strict=True) if not t})
    assert result["checkpoint"]["sha256"] == model.ref.sha256


def test_evaluation_repeats_the_card(trained):
    for path, name in zip(trained.data, ("new", "old"), strict=True):
        result = evaluate(trained, path, reference=name)
        expected = trained.card.metrics[name]
        assert result["mae"] == pytest.approx(expected["mae"], rel=1e-4)
        assert result["coverage90"] == expected["coverage90"]
        json.dumps(result, allow_nan=False)


def test_the_card_has_what_figures_need(trained):
    card = trained.card
    assert list(card.history) == ["mlp 1", "mlp 2", "roost 1"]
    for curve in card.history.values():
        assert curve["epoch"] == list(range(1, 13))
        assert curve["metric"][-1] < curve["metric"][0]  # eV/atom on the calibration part
    assert list(card.plots) == ["new", "old"]
    for plots in card.plots.values():
        observed = plots["calibration"]["observed"]
        assert len(observed) == len(plots["calibration"]["nominal"]) == 19
        assert observed == sorted(observed)
        assert 0.7 < plots["calibration"]["observed90"] <= 1
        assert {len(column) for column in plots["parity"].values()} == {
            min(400, len(plots["parity"]["formula"]))
        }
    result = evaluate(trained, trained.data[1], reference="old")
    assert result["plots"]["old"]["calibration"]["observed90"] == round(result["coverage90"], 4)


def test_evaluation_finds_the_reference(trained):
    assert evaluate(trained, trained.data[0])["reference"] == "new"
    assert evaluate(trained, trained.data[1])["reference"] == "old"


def test_evaluation_of_polymorphs_and_samples(trained):
    lowest = evaluate(trained, trained.data[0])
    every = evaluate(trained, trained.data[0], polymorphs="true")
    assert every["n"] > lowest["n"]
    assert every["mae"] > lowest["mae"]
    request = EvaluateRequest(data=trained.data[0], checkpoint=str(trained.folder), sample=20)
    assert evaluate_energy(request)["n"] == 20


def test_evaluation_refuses_what_it_cannot_do(trained, tmp_path):
    with pytest.raises(InputError, match="held out by 'formula'"):
        evaluate_energy(EvaluateRequest(trained.data[0], str(trained.folder), holdout="prototype"))
    seen = pd.read_parquet(trained.data[0])
    test = held_out(canonical_formulas(seen.formula), fraction=0.1, seed=7)
    seen[~test].to_parquet(tmp_path / "seen.parquet")
    with pytest.raises(InputError, match="has seen all"):
        evaluate(trained, tmp_path / "seen.parquet")
    seen.drop(columns="formation_energy_per_atom").to_parquet(tmp_path / "x.parquet")
    with pytest.raises(InputError, match="has no column"):
        evaluate(trained, tmp_path / "x.parquet")
    with pytest.raises(InputError, match="unknown reference"):
        evaluate(trained, trained.data[0], reference="x")


def test_training_again_gives_the_same_weights(trained, tmp_path):
    options = trained.request.options | {"members": "1", "epochs": "2"}
    digests = []
    for name in "ab":
        request = TrainRequest(trained.data, tmp_path / name, seed=1, options=options)
        digests.append(train_energy(request).sha256)
    assert digests[0] == digests[1]
    other = dataclasses.replace(request, seed=2)
    assert train_energy(other).sha256 != digests[0]


def test_resumed_training_gives_the_same_weights(trained, tmp_path, monkeypatch):
    from screening.energy import ensembles

    options = trained.request.options | {"epochs": "2"}
    whole = train_energy(TrainRequest(trained.data, tmp_path / "a", options=options))
    request = TrainRequest(trained.data, tmp_path / "b", options=options)
    export = ensembles.export
    monkeypatch.setattr(ensembles, "export", _interrupt_second(export))
    with pytest.raises(KeyboardInterrupt):
        train_energy(request)
    assert (tmp_path / "b" / ".state").is_dir()
    monkeypatch.setattr(ensembles, "export", export)
    again = train_energy(dataclasses.replace(request, resume=True))
    assert again.sha256 == whole.sha256
    assert not (tmp_path / "b" / ".state").exists()


def _interrupt_second(export):
    calls = []

    def interrupted(*args):
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return export(*args)

    return interrupted


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"references": "a"}, "each of the 2 files"),
        ({"references": "a,"}, "each of the 2 files"),
        ({"depth": "3"}, "option 'depth'"),
        ({"epochs": "0"}, "option 'epochs'"),
        ({"calibration_fraction": "0.001"}, "too few to calibrate"),
    ],
)
def test_bad_options(trained, tmp_path, options, message):
    fast = trained.request.options | {"members": "1", "epochs": "1"} | options
    if "epochs" in options or "depth" in options:
        fast = options
    with pytest.raises(InputError, match=message):
        train_energy(TrainRequest(trained.data, tmp_path / "x", options=fast))


def test_damaged_and_foreign_checkpoints(trained, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(trained.folder, copy)
    weights = bytearray((copy / "weights.safetensors").read_bytes())
    weights[-1] ^= 1
    (copy / "weights.safetensors").write_bytes(weights)
    with pytest.raises(CheckpointError, match="is damaged"):
        EnergyModel.load(str(copy))
    shutil.rmtree(copy)
    shutil.copytree(trained.folder, copy)
    card = json.loads((copy / "card.json").read_text())
    card["arguments"]["network"]["width"] = 50
    (copy / "card.json").write_text(json.dumps(card))
    with pytest.raises(CheckpointError, match="no energy model of this version"):
        EnergyModel.load(str(copy))


def test_weights_are_half_precision_and_scalers_are_not(trained):
    tensors = load_checkpoint(str(trained.folder)).tensors
    assert tensors["mlp.0.trunk.first.weight"].dtype == np.float16
    assert tensors["mlp.0.trunk.mean"].dtype == np.float32
    assert tensors["seen_formulas"].dtype == np.uint32
