"""Training, checkpoint, prediction and evaluation on crystals with known rules."""

import dataclasses
import json
import shutil

import numpy as np
import pandas as pd
import pytest
import torch

from screening.composition import CompositionArray
from screening.errors import CheckpointError, InputError
from screening.symmetry import BRAVAIS, SymmetryModel, volume_per_atom
from screening.symmetry.bravais import bravais_classes
from screening.symmetry.cells import cell_volume
from screening.symmetry.data import choose_crystals, read_crystals
from screening.symmetry.evaluate import evaluate_symmetry
from screening.symmetry.metrics import lattice_metrics, rank_of
from screening.symmetry.network import (
    N_SIZES,
    SymmetryNetwork,
    size_columns,
    size_scales,
    size_targets,
)
from screening.symmetry.train import train_symmetry
from screening.training.data import held_out
from screening.training.request import EvaluateRequest, TrainRequest


@pytest.fixture(scope="module")
def model(trained):
    return SymmetryModel.load(str(trained.folder))


def test_held_out_symmetries_are_predicted(trained):
    metrics = trained.card.metrics
    n = held_out(sorted(set(trained.formulas().formulas())), fraction=0.2, seed=3).sum()
    assert metrics["n"] == trained.card.split["n_test"] == n
    assert metrics["bravais"]["top1"] > 0.95
    assert metrics["spacegroup"]["top1"] > 0.95
    assert metrics["spacegroup_given_bravais"]["top1"] > 0.95
    assert metrics["volume"]["mae_percent"] < 12
    assert metrics["lattice"]["cubic F"]["a"]["r2"] > 0.8
    assert metrics["lattice"]["hexagonal P"]["c"]["mape"] < 0.1
    assert set(metrics["parts"]) == {"networks", "votes", "mean"}
    assert metrics["parts"]["votes"]["spacegroup"]["top1"] > 0.9
    by_class = metrics["spacegroup_given_bravais_by_class"]
    assert sum(part["n"] for part in by_class.values()) == n
    low, high = metrics["intervals"]["spacegroup.top5"]
    assert low <= metrics["spacegroup"]["top5"] <= high


def test_probabilities_are_one_distribution(model, trained):
    classes, groups = model.probabilities(trained.formulas()[::20])
    np.testing.assert_allclose(classes.sum(axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(groups.sum(axis=1), 1, atol=1e-5)
    for k in range(14):
        inside = groups[:, bravais_classes()[1:] == k].sum(axis=1)
        np.testing.assert_allclose(inside, classes[:, k], atol=1e-5)


def test_documents(model):
    documents = model.predict(CompositionArray.from_formulas(["NaCl", "Na2Cl2", "TiS2"]))
    first, again, layered = documents
    assert first.formula == "NaCl"
    assert again.symmetry_id == first.symmetry_id
    assert again.volume_per_atom == pytest.approx(first.volume_per_atom, rel=1e-5)
    assert first.bravais[0].bravais == "cubic F"
    assert first.space_groups[0].number == 225
    assert first.space_groups[0].symbol == "Fm-3m"
    assert layered.bravais[0].bravais == "hexagonal P"
    assert first.symmetry_id.startswith("sym-") != layered.symmetry_id
    assert (len(first.bravais), len(first.space_groups)) == (3, 10)
    for document in documents:
        for guesses in (document.bravais, document.space_groups):
            probabilities = [guess.probability for guess in guesses]
            assert probabilities == sorted(probabilities, reverse=True)
        for guess in document.bravais:
            assert cell_volume(np.array(guess.lattice)) > 0
    a, b, c, *angles = layered.bravais[0].lattice
    assert a == b != c
    assert angles == [90, 90, 120]


def test_threads_do_not_change_a_digit():
    compositions = CompositionArray.from_formulas(["NaCl", "LiFePO4", "TiO2", "MgAl2O4"])
    bundled, before = SymmetryModel.load("symmetry"), torch.get_num_threads()
    found = []
    for threads in (1, 2):
        torch.set_num_threads(threads)
        found.append([document.model_dump() for document in bundled.predict(compositions)])
        assert torch.get_num_threads() == threads
    torch.set_num_threads(before)
    assert found[0] == found[1]


def test_lengths_of_lists(model):
    compositions = CompositionArray.from_formulas(["NaCl"])
    document = model.predict(compositions, top_bravais=14, top_space_groups=230)[0]
    assert {guess.bravais for guess in document.bravais} == set(BRAVAIS)
    assert sum(guess.probability for guess in document.space_groups) == pytest.approx(1, abs=1e-5)
    with pytest.raises(InputError, match="top_bravais=15 must be 1 to 14"):
        model.predict(compositions, top_bravais=15)
    with pytest.raises(InputError, match="top_space_groups=0"):
        model.predict(compositions, top_space_groups=0)


def test_no_rows(model):
    assert model.predict(CompositionArray.from_formulas([])) == []


def test_volumes(model, trained):
    volume = model.volume_per_atom(trained.formulas())
    truth = [abs(np.linalg.det(np.reshape(m, (3, 3)))) for m in trained.table.lattice]
    truth = np.array(truth) / trained.table.n_sites
    assert np.median(np.abs(volume / truth - 1)) < 0.08
    plain = volume_per_atom(trained.formulas(), str(trained.folder))
    np.testing.assert_array_equal(plain, volume)


def test_cells_belong_to_their_class(model):
    cells = model.cells(CompositionArray.from_formulas(["NaCl", "TiS2"]))
    assert cells.shape == (2, 14, 6)
    assert np.isfinite(cells).all()
    cubic = cells[:, BRAVAIS.index("cubic F")]
    np.testing.assert_array_equal(cubic[:, 3:], 90.0)
    np.testing.assert_array_equal(cubic[:, 0], cubic[:, 2])


def test_evaluation_repeats_the_card(trained, model):
    result = evaluate_symmetry(EvaluateRequest(trained.data, str(trained.folder)))
    metrics = trained.card.metrics
    assert result["n"] == metrics["n"]
    assert result["n_seen"] == trained.card.split["n_train"]
    assert result["spacegroup"] == metrics["spacegroup"]
    assert result["volume"]["log_mae"] == pytest.approx(metrics["volume"]["log_mae"], rel=1e-4)
    assert result["checkpoint"]["sha256"] == model.ref.sha256
    json.dumps(result, allow_nan=False)
    sampled = EvaluateRequest(trained.data, str(trained.folder), sample=5)
    assert evaluate_symmetry(sampled)["n"] == 5


def test_evaluation_refuses_what_it_cannot_do(trained, tmp_path):
    request = EvaluateRequest(trained.data, str(trained.folder))
    with pytest.raises(InputError, match="held out by 'formula'"):
        evaluate_symmetry(dataclasses.replace(request, holdout="prototype"))
    with pytest.raises(InputError, match="option 'x'"):
        evaluate_symmetry(dataclasses.replace(request, options={"x": "1"}))
    test = held_out(trained.formulas().formulas(), fraction=0.2, seed=3)
    trained.table[~test].to_parquet(tmp_path / "seen.parquet")
    with pytest.raises(InputError, match="has seen all"):
        evaluate_symmetry(dataclasses.replace(request, data=tmp_path / "seen.parquet"))


def test_training_again_and_resumed_gives_the_same_weights(trained, tmp_path, monkeypatch):
    from screening.symmetry import network

    fast = {"symmetry_epochs": "2", "size_epochs": "2", "size_members": "1"}
    options = trained.request.options | fast
    trained.table.iloc[::4].to_parquet(tmp_path / "few.parquet")
    first = TrainRequest((tmp_path / "few.parquet",), tmp_path / "a", options=options)
    digest = train_symmetry(first).sha256
    second = dataclasses.replace(first, out=tmp_path / "b")
    with monkeypatch.context() as patch:
        patch.setattr(network, "SizeNetwork", _interrupt)
        with pytest.raises(KeyboardInterrupt):
            train_symmetry(second)
    assert (tmp_path / "b" / ".state").is_dir()
    assert train_symmetry(dataclasses.replace(second, resume=True)).sha256 == digest
    assert not (tmp_path / "b" / ".state").exists()


def _interrupt(**_):
    raise KeyboardInterrupt


def test_foreign_checkpoint(trained, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(trained.folder, copy)
    card = json.loads((copy / "card.json").read_text())
    card["arguments"]["symmetry_members"] = 9
    (copy / "card.json").write_text(json.dumps(card))
    with pytest.raises(CheckpointError, match="no symmetry model of this version"):
        SymmetryModel.load(str(copy))


def table_of(rows):
    columns = ["formula", "spacegroup_number", "e_above_hull", "volume"]
    return pd.DataFrame(rows, columns=columns)


def test_choice_of_the_crystal():
    table = table_of(
        [
            ("A", 2, 0.0, 10.0),  # score 1 / 0.1 = 10
            ("A", 5, 0.02, 12.0),  # score 3 / 0.12 = 25
            ("A", 5, 0.05, 15.0),
            ("A", 5, 0.07, 11.0),
            ("B", 7, 0.0, 9.0),
            ("C", 3, 0.0, 8.0),  # a tie: the higher group
            ("C", 4, 0.0, 7.0),
        ]
    )
    kept = choose_crystals(table)
    assert kept["formula"].tolist() == ["A", "B", "C"]
    assert kept["spacegroup_number"].tolist() == [5, 7, 4]
    assert kept["volume"].tolist() == [12.0, 9.0, 7.0]


def test_choice_does_not_depend_on_the_order():
    rng = np.random.default_rng(0)
    rows = [
        (f"F{rng.integers(20)}", rng.integers(1, 9), rng.choice([0, 0.05]), float(i))
        for i in range(200)
    ]
    table = table_of(rows)
    shuffled = table.sample(frac=1, random_state=1)
    pd.testing.assert_frame_equal(choose_crystals(table), choose_crystals(shuffled))


def test_impossible_space_group(trained, tmp_path):
    table = trained.table.copy()
    table.loc[3, "spacegroup_number"] = 231
    table.to_parquet(tmp_path / "bad.parquet")
    with pytest.raises(InputError, match="231 is not a space group"):
        read_crystals([tmp_path / "bad.parquet"])


def test_rank_counts_ties_against_the_model():
    scores = np.array([[0.5, 0.3, 0.2], [0.4, 0.4, 0.2], [1.0, 0.0, 0.0]])
    np.testing.assert_array_equal(rank_of(scores, np.array([0, 1, 2])), [0, 1, 2])


def test_size_targets_only_fill_the_class():
    cells = np.array([[4, 4, 4, 90, 90, 90], [3, 3, 5, 90, 90, 120.0], np.full(6, np.nan)])
    classes = np.array([BRAVAIS.index(n) for n in ("cubic F", "hexagonal P", "hexagonal P")])
    targets = size_targets(np.array([10.0, 20.0, 30.0]), cells, classes)
    assert targets.shape == (3, N_SIZES)
    np.testing.assert_allclose(targets[:, 0], np.log([10, 20, 30]))
    np.testing.assert_allclose(targets[1, size_columns(classes[1])], np.log([3, 5]))
    assert np.isfinite(targets).sum(axis=1).tolist() == [2, 3, 1]
    scales = size_scales(targets)
    assert np.isfinite(scales["mean"]).all()
    assert (scales["scale"] > 0).all()
    assert (scales["range"][0] <= scales["range"][1]).all()


def test_network_gives_log_probabilities():
    network = SymmetryNetwork(5, 8, 1, 0.0)
    classes, groups = network(torch.zeros(2, 5))
    assert torch.allclose(classes.exp().sum(dim=1), torch.ones(2))
    for k in range(14):
        inside = groups[:, bravais_classes()[1:] == k].exp().sum(dim=1)
        assert torch.allclose(inside, torch.ones(2), atol=1e-5)


def test_perfect_cells_have_no_error(trained):
    from screening.symmetry.data import with_cells

    table = with_cells(read_crystals([trained.data]).iloc[::30])
    metrics = lattice_metrics(table.cells, table)
    assert metrics["all"]["length_mape"] == 0
    for name, parameters in metrics.items():
        if name != "all":
            assert all(value["mae"] == 0 for value in parameters.values())
