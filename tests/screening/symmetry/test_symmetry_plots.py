"""Numbers behind the figures of symmetries."""

import dataclasses
import json

import numpy as np
import pytest

from screening.composition import CompositionArray
from screening.symmetry.evaluate import evaluate_symmetry
from screening.symmetry.model import SymmetryModel
from screening.symmetry.plots import FAMILIES, compound_map, confusion, families
from screening.training.request import EvaluateRequest


@pytest.mark.parametrize(
    ("formula", "family"),
    [
        ("LiFePO4", "oxides"),
        ("NaOH", "oxides"),
        ("Li3MnS4", "chalcogenides"),
        ("ReOF4", "halides"),
        ("GaN", "pnictides"),
        ("LiH", "hydrides"),
        ("TiC", "tetrelides, borides"),
        ("MgB2", "tetrelides, borides"),
        ("CuAu", "intermetallics"),
    ],
)
def test_families_are_those_of_the_most_electronegative_element(formula, family):
    found = families(CompositionArray.from_formulas([formula, "NaCl"]))
    assert [list(FAMILIES)[k] for k in found] == [family, "halides"]


def test_confusion_counts_pairs():
    true, predicted = np.array([0, 0, 0, 3]), np.array([0, 1, 1, 3])
    counts = np.array(confusion(true, predicted)["counts"])
    assert counts.shape == (14, 14)
    assert (counts[0, 0], counts[0, 1], counts[3, 3], counts.sum()) == (1, 2, 1, 4)


def test_the_card_has_what_figures_need(trained):
    card = trained.card
    assert set(card.plots) == {"confusion", "map"}
    counts = np.array(card.plots["confusion"]["counts"])
    assert counts.sum() == card.metrics["n"]
    assert np.trace(counts) / counts.sum() == pytest.approx(card.metrics["bravais"]["top1"])
    assert len(card.history["symmetry 1"]["metric"]) == 12
    assert set(card.history["size 1"]) == {"epoch", "loss"}
    assert card.history["symmetry 1"]["loss"][-1] < card.history["symmetry 1"]["loss"][0]


def test_the_map_is_made_when_it_is_asked_for(trained):
    request = EvaluateRequest(trained.data, str(trained.folder))
    assert set(evaluate_symmetry(request)["plots"]) == {"confusion"}
    found = evaluate_symmetry(dataclasses.replace(request, plots=True))["plots"]["map"]
    json.dumps(found, allow_nan=False)
    n = len(trained.formulas().unique())
    assert {len(found[name]) for name in ("x", "y", "family")} == {n}


def test_the_map_is_the_same_again_and_keeps_families_together(trained, monkeypatch):
    monkeypatch.setattr("screening.symmetry.plots.MAP_POINTS", 120)
    model = SymmetryModel.load(str(trained.folder))
    formulas = trained.formulas().unique()
    found = compound_map(model, formulas, seed=1)
    assert found == compound_map(model, formulas, seed=1)
    assert len(found["x"]) == 120
    points = np.array([found["x"], found["y"]]).T
    assert 900 < np.abs(points).max() <= 1000
    family = np.array(found["family"])
    distance = np.linalg.norm(points[:, None] - points, axis=2)
    np.fill_diagonal(distance, np.inf)
    together = (family[distance.argmin(axis=1)] == family).mean()
    assert together > (family[:, None] == family).mean() + 0.1
