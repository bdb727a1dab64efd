"""Data under pressure: labels, order, and going on after an interruption."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from screening.checkpoints.card import Card
from screening.engines import engine_id
from screening.errors import InputError
from screening.pressure import data
from screening.training.data import describe
from screening.training.registry import train
from screening.training.request import TrainRequest

OPTIONS = {"engine": "emt", "prototypes": "0", "pressures": "0,20", "batch": "1"}
NUMBERS = {"Cu": [29], "CuAu": [29, 79], "Al": [13], "AgPd": [47, 46]}


@pytest.fixture
def table(tmp_path):
    rows = [
        {
            "material_id": name,
            "formula": name,
            "atomic_numbers": numbers,
            "lattice": (np.eye(3) * 3.0 if len(numbers) > 1 else np.eye(3) * 2.6).ravel(),
            "frac_coords": [0.0] * 3 + [0.5] * 3 * (len(numbers) - 1),
        }
        for name, numbers in NUMBERS.items()
    ]
    path = tmp_path / "crystals.parquet"
    pd.DataFrame(rows).to_parquet(path)
    return path


def request(table, out, *, resume=False, **options):
    return TrainRequest(data=(table,), out=out, resume=resume, options={**OPTIONS, **options})


def test_rows_say_pressure_enthalpy_and_source(table, tmp_path):
    card = train("pressure-data", request(table, tmp_path / "out"))
    found = pd.read_parquet(tmp_path / "out" / "data.parquet")
    assert card.metrics["rows"] == len(found) == 8
    assert card.metrics["rows_by_pressure"] == {"0": 4, "20": 4}
    assert set(found["source"]) == {"data"}
    work = found["pressure"] * found["lattice"].map(lambda v: abs(np.linalg.det(v.reshape(3, 3))))
    enthalpy = found["energy_per_atom"] + work / found["n_sites"] / 160.21766208
    np.testing.assert_allclose(found["enthalpy_per_atom"], enthalpy, atol=1e-6)
    assert (found["max_stress"][found["state"] == "converged"] <= 0.3).all()
    saved = Card.model_validate_json((tmp_path / "out" / "card.json").read_text())
    assert saved.sha256 == card.sha256


def test_cards_tell_where_labelled_data_come_from(table, tmp_path):
    crystals = pd.read_parquet(table)
    plain = describe(table, 4)
    assert (plain.origin, plain.licence) == ("not stated in the file", "not stated in the file")
    given = replace(request(table, tmp_path), origin="a shop", licence="CC BY 4.0")
    told = given.source(table, 4)
    assert (told.origin, told.licence) == ("a shop", "CC BY 4.0")
    crystals.attrs = {"origin": "our furnace", "licence": "CC0"}
    crystals.to_parquet(table)
    assert given.source(table, 4).origin == "our furnace"
    train("pressure-data", request(table, tmp_path / "out"))
    labelled = describe(tmp_path / "out" / "data.parquet", 8)
    assert (
        labelled.origin
        == f"our furnace; relaxed, with pressures and energies of {engine_id('emt')}"
    )
    assert labelled.licence == "CC0"


def test_an_interrupted_run_goes_on_to_the_same_data(table, tmp_path, monkeypatch):
    whole = tmp_path / "whole"
    train("pressure-data", request(table, whole))
    relax, calls = data.relax_structures, []

    def failing(*arguments, **options):
        calls.append(1)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return relax(*arguments, **options)

    monkeypatch.setattr(data, "relax_structures", failing)
    out = tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        train("pressure-data", request(table, out))
    assert len(pd.read_parquet(out / "data.parquet")) == 2
    train("pressure-data", request(table, out, resume=True))
    assert len(calls) == 4 + 2 * 3  # the finished composition was not relaxed again
    first, second = (pd.read_parquet(folder / "data.parquet") for folder in (whole, out))
    pd.testing.assert_frame_equal(first, second)
    assert not (out / ".state").exists()


def test_the_state_of_another_run_is_refused(table, tmp_path):
    out = tmp_path / "out"
    (out / ".state").mkdir(parents=True)
    (out / ".state" / "key.txt").write_text("another")
    with pytest.raises(InputError, match="other options, data or seed"):
        train("pressure-data", request(table, out, resume=True))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"pressures": "10,0"}, "ascending"),
        ({"pressures": "-5,0"}, "from 0 GPa up"),
        ({"pressures": "a"}, "pressures"),
        ({"max_atoms": "0"}, "max_atoms"),
        ({"unknown": "1"}, "known are"),
    ],
)
def test_messages(table, tmp_path, options, message):
    with pytest.raises(InputError, match=message):
        train("pressure-data", request(table, tmp_path / "out", **options))


def test_prototypes_are_further_structures_of_a_composition(table, tmp_path):
    out = tmp_path / "out"
    train("pressure-data", request(table, out, structures="1", prototypes="1", pressures="0"))
    found = pd.read_parquet(out / "data.parquet")
    assert len(set(found["formula"])) == 1
    assert [source.split()[0] for source in found["source"]] == ["data", "prototype"]
