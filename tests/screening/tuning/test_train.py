"""Tuning of a tiny potential: it gains on other formulas, resumes, and becomes an engine."""

import hashlib
from dataclasses import replace
from itertools import product

import numpy as np
import pandas as pd
import pytest
from tiny_nequix import tiny_nequix

from screening.checkpoints import read_card, set_checkpoint_folder
from screening.engines import Crystal, engine_id, make_engine, potentials
from screening.errors import InputError
from screening.training.registry import train
from screening.training.request import TrainRequest

CONTENT = tiny_nequix()
CATIONS, ANIONS = ("Na", "Cu", "Ti", "Al", "Ba", "O", "Cl"), ("C", "Si")
NUMBERS = {"Na": 11, "Cu": 29, "Ti": 22, "Al": 13, "Ba": 56, "O": 8, "Cl": 17, "C": 6, "Si": 14}
OPTIONS = {
    "start": "nequix-oam-1", "sample": "60", "replay": "8", "terms": "40", "test": "6",
    "validation": "4",
    "test_fraction": "0.2", "epochs": "2", "batch_size": "8", "learning_rate": "0.002", "ema": "0",
}  # fmt: skip


@pytest.fixture
def start(monkeypatch, tmp_path):
    known = replace(
        potentials.potentials()["nequix-oam-1"], sha256=hashlib.sha256(CONTENT).hexdigest()
    )
    monkeypatch.setattr(potentials, "potentials", lambda: {"nequix-oam-1": known})
    monkeypatch.setenv("SCREENING_POTENTIAL_DIR", str(tmp_path))
    (tmp_path / known.file).write_bytes(CONTENT)
    set_checkpoint_folder(tmp_path / "checkpoints")
    yield make_engine("nequix-oam-1")
    set_checkpoint_folder(None)


@pytest.fixture
def data(start, tmp_path):
    """Rock salts whose energies are those of the start, but for their length."""
    rng = np.random.default_rng(0)
    rows = []
    for cation, anion, _ in product(CATIONS, ANIONS, range(5)):
        edge = rng.uniform(3.2, 4.2)
        numbers = np.array([NUMBERS[cation], NUMBERS[anion]])
        points = np.array([[0, 0, 0], [0.5, 0.5, 0.5]])
        (result,) = start.evaluate([Crystal(numbers, np.eye(3) * edge, points * edge)])
        rows.append(
            {
                "material_id": f"m{len(rows)}",
                "formula": f"{cation}{anion}",
                "atomic_numbers": numbers,
                "lattice": (np.eye(3) * edge).ravel(),
                "frac_coords": points.ravel(),
                "formation_energy_per_atom": result.energy / 2 + 0.1 * (edge - 3.7),
            }
        )
    path = tmp_path / "data.parquet"
    pd.DataFrame(rows).to_parquet(path)
    return path


def test_tuning_gains_and_becomes_an_engine(start, data, tmp_path):
    request = TrainRequest((data,), tmp_path / "checkpoints" / "mine", options=OPTIONS)
    card = train("potential", request)
    known = card.metrics["known"]
    assert known["mae"] < known["origin_mae"]
    assert known["gain"] == pytest.approx(known["origin_mae"] - known["mae"])
    low, high = known["gain_interval"]
    assert low <= known["gain"] <= high
    hypothetical = card.metrics["hypothetical"]
    assert hypothetical["n"] > 0
    low, high = hypothetical["change_bias_interval"]
    assert low <= hypothetical["change_bias"] <= high
    assert card.split["n_replay"] == 8
    assert card.hyperparameters["steps"] > 0
    assert [source.licence for source in card.data][1] == "MIT"
    assert not (request.out / ".state").exists()
    assert engine_id("mine") == f"mine-{card.sha256[:8]}"
    tuned = make_engine("mine")
    assert tuned.name == engine_id("mine")
    rock = Crystal(np.array([11, 17]), np.eye(3) * 3.4, np.array([[0, 0, 0], [1.7, 1.7, 1.7]]))
    assert tuned.evaluate([rock])[0].energy != start.evaluate([rock])[0].energy
    assert read_card("mine").arguments["origin"] == "nequix-oam-1"


def test_the_same_call_gives_the_same_weights(start, data, tmp_path):
    cards = [
        train(
            "potential", TrainRequest((data,), tmp_path / name, options=OPTIONS | {"epochs": "1"})
        )
        for name in ("a", "b")
    ]
    assert cards[0].sha256 == cards[1].sha256


def test_what_cannot_be_tuned(start, data, tmp_path):
    with pytest.raises(InputError, match="one file"):
        train("potential", TrainRequest((data, data), tmp_path / "x", options=OPTIONS))
    with pytest.raises(InputError, match="no potential 'chgnet'"):
        train("potential", TrainRequest((data,), tmp_path / "x", options={"start": "chgnet"}))
    with pytest.raises(InputError, match="at most 1 atoms"):
        train(
            "potential", TrainRequest((data,), tmp_path / "x", options=OPTIONS | {"largest": "1"})
        )
