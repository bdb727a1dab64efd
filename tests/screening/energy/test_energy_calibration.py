"""Calibration: whatever the raw spread is worth, the intervals cover what they say."""

import numpy as np
import pandas as pd
import pytest
import torch

from screening.energy.calibration import Calibration
from screening.energy.data import read_energies, reference_names
from screening.energy.metrics import energy_metrics
from screening.energy.model import EnergyPrediction
from screening.energy.network import robust_l1
from screening.errors import InputError
from screening.schemas import CheckpointRef


def errors_and_spread(n, seed, factor):
    """Skewed, heavy-tailed errors whose spread is reported too large or too small."""
    rng = np.random.default_rng(seed)
    spread = rng.lognormal(sigma=0.5, size=n)
    noise = rng.standard_t(df=3, size=n) + 0.5 * rng.exponential(size=n)
    return noise * spread, factor * spread


@pytest.mark.parametrize("factor", [0.1, 1.0, 10.0])
def test_intervals_cover_on_new_data(factor):
    calibration = Calibration.fit(*errors_and_spread(3000, 0, factor))
    errors, spread = errors_and_spread(20000, 1, factor)
    inside = (errors >= calibration.lower * spread) & (errors <= calibration.upper * spread)
    assert inside.mean() == pytest.approx(0.9, abs=0.02)
    assert (np.abs(errors) <= calibration.scale * spread).mean() == pytest.approx(0.6827, abs=0.03)


def test_few_rows_give_wide_intervals_and_fewer_are_refused():
    errors, spread = errors_and_spread(50, 0, 1.0)
    calibration = Calibration.fit(errors, spread)
    ratio = errors / spread
    assert calibration.lower <= np.quantile(ratio, 0.05)
    assert calibration.upper >= np.quantile(ratio, 0.95)
    with pytest.raises(InputError, match="49 formulas are too few"):
        Calibration.fit(errors[:49], spread[:49])


def test_metrics_of_a_known_prediction():
    truth = np.array([0.0, -1.0, -2.0, -3.0])
    mean = truth + np.array([0.1, -0.1, 0.2, 0.0])
    prediction = EnergyPrediction(
        mean=mean.astype(np.float32),
        std=np.full(4, 0.1, np.float32),
        lower90=(mean - 0.15).astype(np.float32),
        upper90=(mean + 0.15).astype(np.float32),
        reference="r",
        model=CheckpointRef(name="m", version="1", sha256="0"),
    )
    metrics = energy_metrics(prediction, truth)
    assert metrics["n"] == 4
    assert metrics["mae"] == pytest.approx(0.1, abs=1e-6)
    assert metrics["rmse"] == pytest.approx(np.sqrt(0.015), abs=1e-6)
    assert metrics["coverage90"] == 0.75
    assert metrics["width90"] == pytest.approx(0.3, abs=1e-6)
    assert metrics["spearman"] == pytest.approx(1.0)


def test_robust_loss_skips_what_is_unknown():
    mean = torch.tensor([[0.0, 5.0], [1.0, 1.0]])
    log_sigma = torch.zeros(2, 2, requires_grad=True)
    target = torch.tensor([[0.5, float("nan")], [1.0, float("nan")]])
    loss = robust_l1(mean, log_sigma, target)
    assert loss.item() == pytest.approx(np.sqrt(2) * 0.25)
    loss.backward()
    assert torch.isfinite(log_sigma.grad).all()
    assert (log_sigma.grad[:, 1] == 0).all()


def test_lowest_energy_of_each_formula_and_reference(tmp_path):
    one, two = tmp_path / "one.parquet", tmp_path / "two.parquet"
    energies = {"formula": ["TiO2", "Ti2O4", "NaCl"], "formation_energy_per_atom": [-3, -3.4, -2]}
    pd.DataFrame(energies).to_parquet(one)
    energies = {"formula": ["NaCl", "MgO"], "formation_energy_per_atom": [-2.1, np.nan]}
    pd.DataFrame(energies).to_parquet(two)
    table = read_energies([one, two])
    assert table.formulas == ["NaCl", "TiO2"]
    assert table.references == ("one", "two")
    assert table.rows == (3, 1)
    np.testing.assert_allclose(table.energies, [[-2, -2.1], [-3.4, np.nan]], rtol=1e-6)
    together = read_energies([one, two], "mp,mp")
    assert together.references == ("mp",)
    np.testing.assert_allclose(together.energies, [[-2.1], [-3.4]], rtol=1e-6)


def test_no_usable_row(tmp_path):
    path = tmp_path / "x.parquet"
    pd.DataFrame({"formula": ["A"], "formation_energy_per_atom": [np.nan]}).to_parquet(path)
    with pytest.raises(InputError, match="no row with a finite"):
        read_energies([path])


def test_reference_names(tmp_path):
    paths = [tmp_path / "a.parquet", tmp_path / "b.parquet"]
    assert reference_names(paths, "") == ("a", "b")
    assert reference_names(paths, "x, x") == ("x", "x")
    with pytest.raises(InputError, match="each of the 2 files"):
        reference_names(paths, "x")
