"""All metrics together: copies of a crystal are perfect, and what has no value has a reason."""

import json
from pathlib import Path

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from screening.engines.base import Evaluation
from screening.errors import InputError
from screening.metrics.compare import LEGACY, METRICS, comparable_cells, compare, contact_map
from screening.metrics.legacy.energy import energy_distances
from screening.metrics.legacy.fingerprints import fingerprint_distance
from screening.metrics.legacy.points import cloud, sinkhorn
from screening.metrics.legacy.wyckoff import wyckoff_errors

DOCS = Path(__file__).parents[3] / "docs" / "metrics.md"


FCC = [[0, 0, 0], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]]


class Engine:
    """One eV per atom, and 0.1 eV for each cubic Angstrom."""

    name = "toy"

    def evaluate(self, crystals):
        return [
            Evaluation(len(c) + 0.1 * c.volume, np.zeros((len(c), 3)), np.zeros((3, 3)))
            for c in crystals
        ]


class Refusing:
    name = "toy"

    def evaluate(self, crystals):
        return [Evaluation.failed(len(c), "too strange") for c in crystals]


def test_copies_are_perfect(perovskite, disguise):
    found = compare(perovskite, disguise(perovskite))
    assert found.pop("reasons") == {}
    assert list(found) == list(METRICS)
    for name, metric in METRICS.items():
        if metric.perfect is not None:
            assert found[name] == pytest.approx(metric.perfect, abs=1e-8), name
    assert found["space_group_reference"] == found["space_group_predicted"] == 221


def test_the_same_file_is_perfect_for_legacy_metrics(perovskite):
    found = compare(perovskite, perovskite.copy(), legacy=True, engine=Engine())
    assert found.pop("reasons") == {}
    for name, metric in LEGACY.items():
        assert found[name] == pytest.approx(metric.perfect, abs=1e-6), name


def test_legacy_metrics_call_a_moved_copy_wrong(perovskite):
    """The traps: another origin is another crystal for half of them."""
    moved = perovskite.copy()
    moved.translate_sites(range(5), [0.25, 0.25, 0.25])
    assert compare(perovskite, moved)["pdd"] == pytest.approx(0, abs=1e-9)
    assert sinkhorn(cloud(perovskite), cloud(moved)) > 1
    assert wyckoff_errors(perovskite.to(fmt="cif"), moved.to(fmt="cif"))[0] > 0.2
    assert fingerprint_distance(perovskite, moved) == pytest.approx(0, abs=1e-6)


def test_known_displacement(perovskite):
    """One oxygen moves by 0.1 Angstrom towards titanium."""
    moved = perovskite.copy()
    moved.translate_sites([2], [0, 0.1, 0], frac_coords=False)
    found = compare(perovskite, moved)
    assert found["distance_mae"] > 0
    assert found["distance_rmse"] <= 0.1
    assert found["rms_loose"] == pytest.approx(
        0.1 * np.sqrt(0.2 * 0.8) / (perovskite.volume / 5) ** (1 / 3), rel=1e-3
    )
    assert found["contact_exact"] is True


def test_missing_values_have_reasons(perovskite, wrong_perovskite):
    found = compare(perovskite, wrong_perovskite, legacy=True)
    missing = {name for name, value in found.items() if value is None}
    assert missing == set(found["reasons"])
    assert missing == {
        "rms_loose", "rms_strict", "legacy_energy", "legacy_energy_per_atom", "legacy_rms",
        "legacy_rms_anonymous",
    }  # fmt: skip
    assert "--engine" in found["reasons"]["legacy_energy"]
    json.dumps(found)


def test_other_formulas(perovskite):
    salt = Structure(Lattice.cubic(4.1), ["Cs", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    found = compare(perovskite, salt, legacy=True, engine=Engine())
    assert found["match_loose"] is False
    assert found["contact_dice"] is None
    assert "Cs1 Cl1" in found["reasons"]["contact_dice"]
    assert found["pdd"] > 0
    assert "superposed" in found["reasons"]["legacy_superpose"]
    assert "9999" in found["reasons"]["legacy_contact"]
    assert "5555" in found["reasons"]["legacy_wyckoff_rmse"]


def test_energies_per_cell_and_per_atom(perovskite):
    double = perovskite.copy()
    double.make_supercell([1, 1, 2])
    per_cell, per_atom = energy_distances(perovskite, double, Engine())
    assert per_cell == pytest.approx(5 + 0.1 * perovskite.volume)
    assert per_atom == pytest.approx(0, abs=1e-12)
    with pytest.raises(InputError, match="too strange"):
        energy_distances(perovskite, double, Refusing())


def test_cells_are_made_primitive_unless_only_the_given_ones_fit():
    points = [[0, 0, 0], [0.5, 0.5, 0.5]]
    bcc = Structure(Lattice.cubic(3.0), ["Fe", "Fe"], points)
    shifted = Structure(Lattice.cubic(3.0), ["Fe", "Fe"], [[0, 0, 0], [0.5, 0.5, 0.4]])
    assert len(comparable_cells(bcc, bcc)[0]) == 1
    assert len(comparable_cells(bcc, shifted)[0]) == 2


def test_one_atom_has_no_pairs():
    copper = Structure(Lattice.cubic(3.6), ["Cu"] * 4, FCC)
    found = compare(copper, copper.copy())
    assert found["contact_exact"] is True
    assert found["distance_overlap"] is None
    assert found["reasons"]["distance_overlap"] == "no pair of atoms to judge"


def test_contact_map(perovskite):
    found = contact_map(perovskite)
    assert found[1].tolist() == [False, False, True, True, True]  # Ti to O, 1.97 Angstrom
    assert not found[0, 1]  # metals
    assert (found == found.T).all()
    assert not found.diagonal().any()


def test_every_metric_is_documented():
    text = DOCS.read_text(encoding="utf-8")
    for name in {**METRICS, **LEGACY}:
        assert f"`{name}`" in text
