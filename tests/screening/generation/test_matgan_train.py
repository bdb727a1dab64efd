"""Training: deterministic, resumable, honest about its data."""

import numpy as np
import pytest

from screening.balance import accepted, balance_codes
from screening.checkpoints import load_checkpoint
from screening.composition import CompositionArray
from screening.errors import InputError
from screening.generation.data import load_formulas
from screening.generation.matgan.options import Options
from screening.generation.matgan.train import train_matgan
from screening.progress import listen
from screening.training.data import fingerprints, unseen
from screening.training.registry import TRAINERS, train
from screening.training.request import TrainRequest

from .conftest import FAST


class StopTrainingError(Exception):
    pass


def request(path, out, **changes):
    options = FAST | {name: str(value) for name, value in changes.pop("options", {}).items()}
    return TrainRequest(data=(path,), out=out, seed=3, options=options, **changes)


def test_the_card_says_what_was_done(checkpoint, formulas_file):
    loaded = load_checkpoint(str(checkpoint))
    card = loaded.card
    assert card.name == "matgan"
    assert card.split["n_train"] + card.split["n_held_out"] < card.split["n_distinct_in_files"]
    assert card.split["n_held_out"] > 20
    assert card.data[0].rows == card.split["n_train"]
    assert card.hyperparameters["screen"] is True
    assert "valid by SMACT's rules with the table icsd24_filtered" in card.description
    assert 0 <= card.metrics["valid"] <= 1
    assert card.metrics["n"] == 3000
    assert card.metrics["intervals"]["valid"][0] <= card.metrics["valid"]
    weights = [t for name, t in loaded.tensors.items() if name.startswith("generator.")]
    assert {t.dtype for t in weights} == {np.dtype(np.float16)}
    assert sorted(p.name for p in checkpoint.iterdir()) == ["card.json", "weights.safetensors"]


def test_the_checkpoint_remembers_what_it_saw(checkpoint, formulas_file):
    data = load_formulas([formulas_file], Options(), seed=3)
    seen = load_checkpoint(str(checkpoint)).tensors["seen_formulas"]
    train_on = [f for f, out in zip(data.formulas, data.held_out, strict=True) if not out]
    assert (seen == fingerprints(train_on)).all()
    held_out = [f for f, out in zip(data.formulas, data.held_out, strict=True) if out]
    assert unseen(held_out, seen).all()


def test_only_valid_formulas_are_trained_on(formulas_file):
    screened = load_formulas([formulas_file], Options(), seed=0)
    assert accepted(balance_codes(screened.compositions)).all()
    everything = load_formulas([formulas_file], Options(screen=False), seed=0)
    assert set(everything.formulas) - set(screened.formulas) == {"NaO7", "MgAl5O"}
    assert len(set(screened.formulas)) == len(screened.formulas)
    assert screened.compositions.formulas() == screened.formulas


def test_the_same_seed_gives_the_same_weights(checkpoint, formulas_file, tmp_path):
    again = train_matgan(request(formulas_file, tmp_path / "matgan"))
    assert again.sha256 == load_checkpoint(str(checkpoint)).card.sha256


def test_an_interrupted_run_ends_with_the_same_weights(
    checkpoint, formulas_file, tmp_path, monkeypatch
):
    monkeypatch.setattr("screening.generation.matgan.train.SAVE_EVERY", 20)
    out = tmp_path / "matgan"

    def stop(progress):
        if progress.stage == "matgan" and progress.done == 40:
            raise StopTrainingError

    with listen(stop), pytest.raises(StopTrainingError):
        train_matgan(request(formulas_file, out))
    assert (out / ".state" / "matgan.safetensors").is_file()
    with pytest.raises(InputError, match="other options, data or seed"):
        train_matgan(request(formulas_file, out, resume=True, options={"penalty": 2.0}))
    steps = []
    with listen(lambda p: steps.append(p.done) if p.stage == "matgan" else None):
        resumed = train_matgan(request(formulas_file, out, resume=True))
    assert steps == [60]
    whole = train_matgan(request(formulas_file, tmp_path / "whole"))
    assert resumed.sha256 == whole.sha256
    assert not (out / ".state").exists()


def test_resume_without_a_state_starts(formulas_file, tmp_path):
    card = train_matgan(
        request(formulas_file, tmp_path / "matgan", resume=True, options={"steps": 2})
    )
    assert card.sha256


def test_training_learns(formulas_file, tmp_path):
    """Elements, amounts and held-out formulas come out that fresh weights do not know."""
    options = {"steps": 400, "critic_steps": 2, "lr_generator": 1e-3, "lr_critic": 3e-3}
    before = train_matgan(request(formulas_file, tmp_path / "a", options={"steps": 1})).metrics
    after = train_matgan(request(formulas_file, tmp_path / "b", options=options)).metrics
    assert before["element_distance"] > 0.8
    assert after["element_distance"] < 0.4
    assert after["amount_distance"] < before["amount_distance"] - 0.1
    assert before["recovered"] == 0
    assert after["recovered"] > 0.1


@pytest.mark.parametrize("options", [{"authors": "true"}, {"network": "conv"}])
def test_the_authors_network_trains(formulas_file, tmp_path, options):
    card = train_matgan(
        TrainRequest(
            data=(formulas_file,),
            out=tmp_path / "m",
            options={**options, "steps": "2", "batch": "8", "samples": "100"},
        )
    )
    assert card.arguments == {"network": "conv", "latent": 128}
    used = card.hyperparameters
    assert (used["batch"], used["lr_critic"]) == ((32, 0.01) if used["authors"] else (8, 0.001))
    assert used["batch_norm"] == used["normal_init"] == used["authors"]


def test_pac_and_the_average_of_weights(formulas_file, tmp_path):
    options = {"steps": 3, "pac": 2, "average": 0.0}
    last = train_matgan(request(formulas_file, tmp_path / "a", options=options))
    mean = train_matgan(request(formulas_file, tmp_path / "b", options=options | {"average": 0.9}))
    assert last.sha256 != mean.sha256


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"colour": "red"}, r"option 'colour'.*known are \["),
        ({"steps": "many"}, r"option 'steps'"),
        ({"held_out": "1.5"}, r"option 'held_out'"),
        ({"batch": "100000"}, r"fewer than two batches of 100000"),
        ({"table": "icsd23"}, r"icsd23"),
    ],
)
def test_errors_name_the_value(formulas_file, tmp_path, options, message):
    with pytest.raises(InputError, match=message):
        train_matgan(request(formulas_file, tmp_path / "m", options=options))


def test_data_without_formulas(tmp_path):
    import pandas as pd

    pd.DataFrame({"name": ["NaCl"]}).to_parquet(tmp_path / "x.parquet")
    with pytest.raises(InputError, match="no column"):
        train_matgan(request(tmp_path / "x.parquet", tmp_path / "m"))


def test_the_registry_finds_the_trainer(formulas_file, tmp_path):
    assert {"matgan", "compositions"} <= TRAINERS.keys()
    assert train("matgan", request(formulas_file, tmp_path / "m", options={"steps": 1})).sha256


def test_canonical_formulas_are_merged(tmp_path):
    import pandas as pd

    path = tmp_path / "x.parquet"
    pd.DataFrame({"formula": ["NaCl", "ClNa", "Na2Cl2", "TiO2", "Ti2O4"]}).to_parquet(path)
    data = load_formulas(
        [path, path], Options(batch=2, held_out=0.0).model_copy(update={"batch": 1}), seed=0
    )
    assert data.formulas == ["NaCl", "TiO2"]
    assert data.n_distinct == 2
    assert CompositionArray.from_formulas(data.formulas).formulas() == data.formulas
