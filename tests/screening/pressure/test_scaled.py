"""Data under pressure from scaled cells: labels of the engine, pressures, repeatability."""

import numpy as np
import pandas as pd
import pytest
from pymatgen.core import Lattice, Structure

from screening.engines import Crystal, Evaluation, make_engine
from screening.pressure.scaled import labels, pressure, squeeze
from screening.training.registry import train
from screening.training.request import TrainRequest

OPTIONS = {
    "engine": "emt", "prototypes": "0", "method": "scaled", "pressures": "0,60", "batch": "2",
}  # fmt: skip
FCC = {"Cu": (29, 3.61), "Au": (79, 4.06), "Al": (13, 4.0), "Pt": (78, 3.92)}


def fcc(number, a):
    return Structure(
        Lattice(a / 2 * np.array([[0, 1, 1], [1, 0, 1], [1, 1, 0]])), [number], [[0] * 3]
    )


@pytest.fixture
def table(tmp_path):
    rows = [
        {
            "material_id": name,
            "formula": name,
            "atomic_numbers": [number],
            "lattice": fcc(number, a).lattice.matrix.ravel(),
            "frac_coords": [0.0] * 3,
        }
        for name, (number, a) in FCC.items()
    ]
    path = tmp_path / "metals.parquet"
    pd.DataFrame(rows).to_parquet(path)
    return path


def test_labels_are_what_the_engine_finds_in_the_scaled_cell(table, tmp_path):
    request = TrainRequest(data=(table,), out=tmp_path / "out", options=OPTIONS)
    card = train("pressure-data", request)
    found = pd.read_parquet(tmp_path / "out" / "data.parquet")
    assert card.metrics["rows"] == len(found) >= 4
    assert sum(card.metrics["rows_by_pressure"].values()) == len(found)
    assert set(found["state"]) == {"scaled"}
    assert found["pressure"].between(0, 60).all()
    engine = make_engine("emt")
    for row in found.itertuples():
        crystal = Crystal(
            np.asarray(row.atomic_numbers), row.lattice.reshape(3, 3), np.zeros((1, 3))
        )
        (result,) = engine.evaluate([crystal])
        assert row.pressure == pytest.approx(-np.trace(result.stress) / 3, abs=1e-6)
        assert row.energy_per_atom == pytest.approx(result.energy, abs=1e-6)
        work = row.pressure * crystal.volume / 160.21766208
        assert row.enthalpy_per_atom == pytest.approx(result.energy + work, abs=1e-6)
        given = fcc(*FCC[row.formula])
        angles = Lattice(row.lattice.reshape(3, 3)).angles
        np.testing.assert_allclose(angles, given.lattice.angles, atol=1e-6)
        assert crystal.volume < given.volume


def test_the_same_seed_gives_the_same_data(table, tmp_path):
    tables = []
    for name in ("first", "second"):
        train("pressure-data", TrainRequest(data=(table,), out=tmp_path / name, options=OPTIONS))
        tables.append(pd.read_parquet(tmp_path / name / "data.parquet"))
    pd.testing.assert_frame_equal(*tables)


class Murnaghan:
    """An engine whose crystals have a bulk modulus of 100 GPa at 20 cubic Angstrom."""

    name = "murnaghan"

    def evaluate(self, crystals):
        stresses = [-25 * ((20 / crystal.volume) ** 4 - 1) * np.eye(3) for crystal in crystals]
        return [Evaluation(-1.0, np.zeros((1, 3)), stress) for stress in stresses]


def test_the_second_volume_has_the_pressure_that_was_drawn():
    structures = [fcc(29, 80 ** (1 / 3))] * 200
    found = squeeze(structures, Murnaghan(), 60.0, np.random.default_rng(0))
    second = [pressure(items[-1][1]) for items in found if items]
    assert max(second) <= 60
    low, middle, high = np.quantile(second, [0.1, 0.5, 0.9])
    assert (low, middle, high) == pytest.approx((6, 30, 54), abs=6)


def test_what_fails_or_has_another_pressure_is_left_out():
    class Failing(Murnaghan):
        def evaluate(self, crystals):
            return [Evaluation.failed(1, "no") for _ in crystals]

    structures = [fcc(29, 80 ** (1 / 3))] * 3
    assert squeeze(structures, Failing(), 60.0, np.random.default_rng(0)) == [[], [], []]
    (structure, result), *_ = squeeze(structures, Murnaghan(), 60.0, np.random.default_rng(0))[0]
    assert labels(structure, result)["max_stress"] < 1e-9
