"""Measurement of potentials against labels: energies, phonon peaks, elastic moduli."""

import numpy as np
import pandas as pd
import pytest
from ase.build import bulk

from screening.errors import InputError
from screening.evaluation.potential.elastic import hill_moduli
from screening.evaluation.potential.phonon_peaks import last_peak
from screening.training.registry import evaluate
from screening.training.request import EvaluateRequest

METALS = {"Cu": 3.6, "Ni": 3.5, "Al": 4.0}


def table(**labels):
    rows = []
    for (symbol, length), values in zip(
        METALS.items(), zip(*labels.values(), strict=True), strict=True
    ):
        atoms = bulk(symbol, "fcc", length)
        rows.append(
            {
                "material_id": symbol,
                "formula": symbol,
                "atomic_numbers": atoms.numbers,
                "lattice": atoms.cell.array.ravel(),
                "frac_coords": np.zeros(3),
                **dict(zip(labels, values, strict=True)),
            }
        )
    return pd.DataFrame(rows)


def measure(tmp_path, frame, **options):
    path = tmp_path / "data.parquet"
    frame.to_parquet(path)
    request = EvaluateRequest(path, state=tmp_path / "state", options={"engine": "emt"} | options)
    return evaluate("potential", request)


def test_moduli_of_metals(tmp_path):
    # EMT in ASE's own optimiser: bulk moduli from E(V), within a percent of these
    frame = table(bulk_modulus_vrh=[134.0, 176.0, 40.0], shear_modulus_vrh=[50.0, np.nan, 0.0])
    result = measure(tmp_path, frame)["emt"]["elastic"]
    assert result["n"] == 3
    assert result["bulk_median"] < 0.03
    assert (result["bulk_n"], result["shear_n"]) == (3, 1)
    low, high = result["bulk_median_interval"]
    assert low <= result["bulk_median"] <= high


def test_phonons_of_metals_and_what_is_kept(tmp_path):
    frame = table(last_phdos_peak=[230.0, 280.0, np.nan])
    first = measure(tmp_path, frame)["emt"]["phonon"]
    assert (first["n"], first["failed"], first["imaginary"]) == (2, 0, 0.0)
    assert first["mae"] < 80
    stored = sorted((tmp_path / "state" / "potential").glob("phonon-*.json"))
    assert len(stored) == 2
    for path in stored:
        path.write_text('{"peak": 100.0, "imaginary": true, "reason": null}')
    again = measure(tmp_path, frame)["emt"]["phonon"]
    assert again["bias"] == pytest.approx(100 - 255)
    assert again["imaginary"] == 1.0


def test_energies_without_a_scale_are_relative_to_elements(tmp_path):
    frame = table(formation_energy_per_atom=[0.0, 0.01, -0.02])
    result = measure(tmp_path, frame)
    energy = result["emt"]["energy"]
    assert energy["n"] == 3
    assert energy["coverage"] is None
    assert energy["scale"].endswith("raw references")
    assert energy["mae"] == pytest.approx(0.01, abs=2e-3)
    assert energy["bias"] == pytest.approx(0.01 / 3, abs=2e-3)
    assert result["emt"]["milliseconds"] > 0
    assert result["tables"][0]["rows"][0]["engine"] == "emt"
    assert result["n"] == 3


def test_a_crystal_that_fails_is_counted(tmp_path, monkeypatch):
    def fail(*_):
        raise ValueError("no symmetry")

    monkeypatch.setattr("screening.evaluation.potential.elastic.hill_moduli", fail)
    frame = table(bulk_modulus_vrh=[134.0, 176.0, 40.0])
    result = measure(tmp_path, frame)["emt"]["elastic"]
    assert (result["n"], result["failed"]) == (0, 3)
    assert result["bulk_median"] is None


def test_files_without_labels_are_refused(tmp_path):
    with pytest.raises(InputError, match="no label that is known"):
        measure(tmp_path, table(band_gap=[1.0, 2.0, 3.0]))


def test_last_peak():
    frequencies = np.linspace(0, 10, 101)
    densities = np.exp(-((frequencies - 3) ** 2)) + 0.4 * np.exp(-((frequencies - 7) ** 2))
    assert last_peak(frequencies, densities) == pytest.approx(7.0)
    assert last_peak(frequencies, densities + 1e-3 * (frequencies > 9.9)) == pytest.approx(7.0)


def test_hill_moduli_of_an_isotropic_solid():
    bulk_modulus, shear = 100.0, 30.0
    stiffness = np.diag([2 * shear] * 3 + [shear] * 3)
    stiffness[:3, :3] += bulk_modulus - 2 * shear / 3
    assert hill_moduli(stiffness) == pytest.approx((bulk_modulus, shear))
    assert np.isnan(hill_moduli(np.zeros((6, 6)))).all()
