import json

import numpy as np
import pandas as pd
import pytest

from screening.errors import InputError
from screening.evaluation.stability.background import evidence_of_record
from screening.evaluation.stability.evaluate import evaluate_stability, read_truth
from screening.evaluation.stability.figures import (
    all_figures,
    decision_figures,
    probability_figures,
    rank_area,
    reliability,
)
from screening.evaluation.stability.search import read_records
from screening.training.request import EvaluateRequest

LABELS = np.array([True, True, False, True, False, False, False, False, False, False])
SCORES = np.array([0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0.0])
LARGE = ["K7Na5Ca3Mg2Al4Si9", "Rb9Cs7Sr6Ba5Br33", "Li11Ti13V2S37"]
"""Formulas that nobody has trained with, too large for structures."""


def test_figures_of_a_ranking():
    found = decision_figures(LABELS, SCORES, SCORES >= 0.5)
    assert found["precision"] == pytest.approx(3 / 5)
    assert found["recall"] == 1
    assert found["f1"] == pytest.approx(0.75)
    assert found["precision_at_20"] == 1
    assert found["auc"] == pytest.approx(20 / 21)


def test_ties_at_the_end_of_the_best_part_count_with_their_mean():
    found = decision_figures(LABELS, np.zeros(10), np.ones(10, dtype=bool))
    assert found["precision_at_20"] == pytest.approx(0.3)
    assert found["auc"] == 0.5


def test_one_class_has_no_area():
    assert np.isnan(rank_area(np.ones(3, dtype=bool), np.arange(3.0)))


def test_figures_of_probabilities():
    found = probability_figures(np.array([True, False]), np.array([0.75, 0.25]))
    assert found["brier"] == pytest.approx(0.0625)
    assert found["log_score"] == pytest.approx(-np.log(0.75))
    assert found["ece"] == pytest.approx(0.25)


def test_reliability_has_the_bins_that_are_not_empty():
    rows = reliability(np.array([True, False, True]), np.array([0.05, 0.08, 1.0]))
    assert [row["n"] for row in rows] == [2, 1]
    assert rows[0]["observed"] == 0.5
    assert rows[1]["predicted"] == 1.0


def test_a_line_that_was_cut_off_is_dropped(tmp_path):
    path = tmp_path / "records.jsonl"
    path.write_text('{"formula": "NaCl"}\n{"formula": "K', encoding="utf-8")
    assert read_records(path) == [{"formula": "NaCl"}]
    assert path.read_text() == '{"formula": "NaCl"}\n'


def test_failed_relaxations_are_no_evidence():
    row = {
        "energy": 1.0, "state": "collapsed", "origins": [], "nsites": 2, "volume_change": 0.0,
        "engine": "chgnet-0.3.0",
    }  # fmt: skip
    assert evidence_of_record({"structures": [row]}) is None
    good = row | {"state": "converged", "energy": -1.0}
    evidence = evidence_of_record({"structures": [row, good]})
    assert evidence.n_proposed == 2
    assert [p.energy for p in evidence.proposals] == [-1.0]


def table_of(tmp_path, **columns):
    path = tmp_path / "table.parquet"
    pd.DataFrame({"formula": LARGE, **columns}).to_parquet(path)
    return path


def test_the_truth_from_formation_energies_is_against_the_diagram(tmp_path):
    path = table_of(tmp_path, formation_energy_per_atom=[-9.0, 0.5, 0.1])
    truth, n_seen = read_truth(EvaluateRequest(data=path), [])
    assert n_seen == 0
    assert min(truth.values()) == 0.0  # far below any known compound
    assert all(value >= 0 for value in truth.values())


def test_a_file_without_a_truth_is_refused(tmp_path):
    with pytest.raises(InputError, match="e_above_hull"):
        read_truth(EvaluateRequest(data=table_of(tmp_path)), [])


def test_the_pipeline_is_measured_and_resumed(tmp_path):
    path = table_of(tmp_path, e_above_hull=[0.0, 0.2, 0.3])
    request = EvaluateRequest(data=path, sample=3, state=tmp_path)
    found = evaluate_stability(request)
    assert found["n"] == 3
    assert found["prevalence"] == pytest.approx(1 / 3)
    assert found["n_without_structure"] == 3
    assert {"auc", "precision", "recall", "f1", "precision_at_20", "brier", "log_score", "ece",
            "mae_hull", "composition", "engines", "self_hull", "intervals", "subsets",
            "reliability"} <= set(found)  # fmt: skip
    assert found["brier"] == found["composition"]["brier"]  # there is no structure
    (records,) = tmp_path.glob("stability-*/records.jsonl")
    before = records.read_bytes()
    again = evaluate_stability(request)
    assert records.read_bytes() == before
    assert json.dumps(again["intervals"]) == json.dumps(found["intervals"])


def test_all_figures_are_plain():
    found = all_figures(LABELS, SCORES)
    assert all(isinstance(value, (int, float)) for value in found.values())
