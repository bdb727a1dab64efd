"""Numbers behind the figures of energies."""

import numpy as np
import pytest

from screening.energy.model import EnergyPrediction
from screening.energy.plots import PARITY_POINTS, energy_plots
from screening.schemas import CheckpointRef


def prediction(mean, std):
    ref = CheckpointRef(name="x", version="1", sha256="")
    return EnergyPrediction(mean, std, mean - 1.7 * std, mean + 1.7 * std, "a", ref)


@pytest.mark.parametrize("factor", [0.5, 1.0, 2.0])
def test_calibration_of_normal_errors(factor):
    rng = np.random.default_rng(0)
    n = 20_000
    std = rng.uniform(0.1, 0.3, n)
    truth = rng.normal(size=n) * std * factor
    found = energy_plots(prediction(np.zeros(n), std), truth, ["A"] * n)["calibration"]
    nominal, observed = np.array(found["nominal"]), np.array(found["observed"])
    if factor == 1:
        np.testing.assert_allclose(observed, nominal, atol=0.015)
    else:
        assert ((observed > nominal + 0.005) == (factor < 1)).all()
    assert found["observed90"] == pytest.approx((np.abs(truth) <= 1.7 * std).mean(), abs=1e-4)


def test_parity_is_a_sample_with_its_labels():
    n = 1000
    truth = np.arange(n) / 1000
    labels = [f"A{i}" for i in range(n)]
    made = prediction(truth + 0.5, np.ones(n))
    parity = energy_plots(made, truth, labels, seed=1)["parity"]
    assert len(set(parity["formula"])) == PARITY_POINTS
    rows = [int(label[1:]) for label in parity["formula"]]
    assert parity["computed"] == pytest.approx(truth[rows])
    assert parity["predicted"] == pytest.approx(truth[rows] + 0.5)
    assert energy_plots(made, truth, labels, seed=1)["parity"] == parity
    assert energy_plots(made, truth, labels, seed=2)["parity"] != parity
