"""Equations of state: known parameters come back, pressure is the slope of the energy."""

import numpy as np
import pytest

from screening.engines.base import GPA_PER_EV_A3
from screening.errors import InputError
from screening.pressure.eos import EquationOfState, fit_birch_murnaghan


@pytest.mark.parametrize(
    ("volume", "bulk", "derivative"), [(11.8, 135.0, 4.9), (5.7, 440.0, 3.2), (40.0, 3.0, 4.0)]
)
def test_a_fit_recovers_known_parameters(volume, bulk, derivative):
    known = EquationOfState(volume, bulk, derivative, -3.7)
    volumes = np.linspace(0.85, 1.05, 7) * volume
    fitted = fit_birch_murnaghan(volumes, known.energy_at(volumes))
    assert fitted.volume == pytest.approx(volume, rel=1e-6)
    assert fitted.bulk_modulus == pytest.approx(bulk, rel=1e-5)
    assert fitted.derivative == pytest.approx(derivative, rel=1e-4)
    assert fitted.energy == pytest.approx(-3.7, abs=1e-8)


def test_noise_of_a_potential_hardly_moves_the_fit():
    known = EquationOfState(16.5, 75.0, 4.5, -3.7)
    volumes = np.linspace(0.9, 1.04, 7) * 16.5
    noise = np.random.default_rng(0).normal(0, 1e-5, 7)
    fitted = fit_birch_murnaghan(volumes, known.energy_at(volumes) + noise)
    assert fitted.bulk_modulus == pytest.approx(75.0, rel=0.03)


def test_pressure_is_the_negative_slope_of_the_energy():
    equation = EquationOfState(11.8, 135.0, 4.9)
    step = 1e-5
    slope = (equation.energy_at(10 + step) - equation.energy_at(10 - step)) / (2 * step)
    assert equation.pressure_at(10.0) == pytest.approx(-slope * GPA_PER_EV_A3, rel=1e-6)


@pytest.mark.parametrize("form", ["birch-murnaghan", "vinet"])
def test_volume_and_pressure_are_inverse(form):
    equation = EquationOfState(15.8, 298.6, 4.37, form=form)
    for pressure in (0.0, 10.0, 100.0):
        assert equation.pressure_at(equation.volume_at(pressure)) == pytest.approx(pressure)
    step = 1e-4
    slope = (equation.pressure_at(15.8 + step) - equation.pressure_at(15.8 - step)) / (2 * step)
    assert -15.8 * slope == pytest.approx(298.6, rel=1e-5)


def test_messages():
    equation = EquationOfState(15.8, 298.6, 4.37, form="vinet")
    with pytest.raises(InputError, match="at least 5"):
        fit_birch_murnaghan([1, 2, 3], [1, 2, 3])
    with pytest.raises(InputError, match="no minimum"):
        fit_birch_murnaghan(np.linspace(8, 10, 6), np.linspace(-1, -2, 6))
    with pytest.raises(InputError, match="out of the range"):
        equation.volume_at(-1.0)
    with pytest.raises(InputError, match="birch-murnaghan"):
        equation.energy_at(15.0)
