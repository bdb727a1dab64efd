"""What the networks learn from, and how: further crystals, exchanged atoms, a start."""

import numpy as np
import pandas as pd
import pytest
import torch

from screening.checkpoints import load_checkpoint
from screening.errors import InputError
from screening.structure.alphacrystal.alignment import arrange_all
from screening.structure.alphacrystal.data import prepare, select_rows
from screening.structure.alphacrystal.model import MapModel
from screening.structure.alphacrystal.network import make_network
from screening.structure.alphacrystal.options import MapOptions
from screening.structure.alphacrystal.pseudo_labels import further_crystals, likely_cell
from screening.structure.alphacrystal.train import map_loss
from screening.training.data import fingerprints
from screening.training.registry import train
from screening.training.request import TrainRequest

SMALL = {"width": "8", "pair_width": "4", "layers": "1", "attention_heads": "2", "epochs": "1"}


@pytest.fixture(scope="module")
def crystals(make, small_bank):
    return prepare(select_rows(make.table_of(make.textbook()), 6, metals=False), small_bank, 6)


@pytest.fixture(scope="module")
def bank_folder(textbook_file, tmp_path_factory):
    folder = tmp_path_factory.mktemp("bank") / "bank"
    train("prototypes", TrainRequest((textbook_file,), folder, options={"epochs": "0"}))
    return folder


def test_further_crystals_are_what_the_bank_expects(small_bank):
    names = ["RbAt", "NaCl", "KCl", "CuZn", "Xe17O3", "NaCl"]
    found, formulas = further_crystals(small_bank, names, 10, max_atoms=6, without=["KCl"], seed=0)
    assert set(formulas) <= {"RbAt", "NaCl"}
    assert "NaCl" in formulas
    assert len(found) == len(set(formulas))
    row = formulas.index("NaCl")
    numbers = found.inputs.numbers[row]
    assert sorted(numbers[numbers > 0].tolist()) == [11, 17]
    expected = shortest_distance(small_bank)
    assert found.own[row, 0, 1] == pytest.approx(expected, rel=0.05)
    assert not found.inputs.crystals.any()


def shortest_distance(bank):
    cell = likely_cell(bank, {11: 1, 17: 1}, 2)
    step = cell[1][1] - cell[1][0]
    shifts = np.stack(np.meshgrid(*[np.arange(-2, 3)] * 3, indexing="ij"), -1).reshape(-1, 3)
    return np.linalg.norm((step + shifts) @ cell[0], axis=1).min()


def test_nothing_likely_is_an_error(small_bank):
    with pytest.raises(InputError, match="no composition"):
        further_crystals(small_bank, ["Xe17O3"], 5, max_atoms=6, without=[], seed=0)


@pytest.mark.parametrize("architecture", ["transformer", "residual"])
def test_trimming_changes_no_prediction(architecture, crystals):
    options = MapOptions(
        architecture=architecture, width=16, pair_width=8, layers=1, max_atoms=6,
        widths=(8,), pair_widths=(8,), blocks=1,
    )  # fmt: skip
    network = make_network(options.network()).eval()
    pairs = (crystals.inputs.numbers > 0).sum(dim=1) == 2
    batch = crystals.inputs.rows(torch.nonzero(pairs)[:5, 0])
    trimmed = batch.trimmed()
    assert trimmed.numbers.shape == (5, 2)
    whole = network(batch)[:, :2, :2]
    assert torch.allclose(whole, network(trimmed), atol=1e-5)


def test_targets_follow_exchanged_atoms():
    rng = np.random.default_rng(0)
    matrices = rng.random((3, 5, 5))
    matrices += matrices.swapaxes(1, 2)
    numbers = np.array([[22, 8, 8, 8, 0], [11, 11, 17, 17, 0], [3, 9, 9, 9, 9]])
    orders = np.array([[0, 2, 3, 1, 4], [1, 0, 2, 3, 4], [0, 1, 2, 4, 3]])
    moved = np.stack([m[o][:, o] for m, o in zip(matrices, orders, strict=True)])
    found = arrange_all(matrices, moved, numbers)
    for matrix, other, order, z in zip(matrices, moved, found, numbers, strict=True):
        n = (z > 0).sum()
        assert sorted(order.tolist()) == list(range(5))
        back = other[order][:, order][:n, :n]
        assert np.tril(back, -1) == pytest.approx(np.tril(matrix[:n, :n], -1))


def test_exchange_never_makes_distances_worse(crystals):
    options = {"heads": ("distance",), "width": 16, "pair_width": 8, "layers": 1, "hidden": 1.0}
    rows = torch.arange(len(crystals))
    values = []
    for exchange in (False, True):
        torch.manual_seed(0)
        network = make_network(MapOptions(**options).network()).eval()
        loss = map_loss(crystals, MapOptions(**options, exchange=exchange), "cpu")
        values.append(float(loss(network, rows)))
    assert values[1] <= values[0] + 0.01


def test_training_takes_further_formulas_and_a_start(textbook_file, bank_folder, tmp_path):
    further = tmp_path / "further.parquet"
    pd.DataFrame({"formula": ["NaAt", "KAt", "NaCl", "CuZn", "TlAt", "RbAt"]}).to_parquet(further)
    options = SMALL | {"bank": str(bank_folder), "max_atoms": "6", "heads": "contact,distance"}
    options |= {"test_fraction": "0.2", "watched": "0.2", "learn_metals": "true"}
    first = tmp_path / "first"
    request = TrainRequest((textbook_file, further), first, options=options | {"further": "4"})
    card = train("contact-map", request)
    assert 1 <= card.split["n_further"] <= 4
    assert card.split["n_watched"] > 2
    assert np.isfinite(card.history["maps"]["metric"]).all()
    assert [source.name for source in card.data] == [textbook_file.name, "further.parquet"]
    seen = load_checkpoint(str(first)).tensors["seen_formulas"]
    parts = (card.split[f"n_{part}"] for part in ("train", "further", "watched"))
    assert len(seen) == sum(parts)
    assert not np.isin(fingerprints(["CuZn"]), seen).any()

    second = options | {"start": str(first), "exchange": "true", "learning_rate": "1e-9"}
    train("contact-map", TrainRequest((textbook_file,), tmp_path / "second", options=second))
    again = load_checkpoint(str(tmp_path / "second"))
    assert set(seen) <= set(again.tensors["seen_formulas"])
    assert again.card.metrics["n"] == card.metrics["n"]
    assert again.card.data == card.data
    weights = (load_checkpoint(str(folder)).tensors for folder in (first, tmp_path / "second"))
    old, new = (tensors["network.element.weight"].astype(float) for tensors in weights)
    assert new == pytest.approx(old, abs=1e-3)


def test_crystals_with_templates_may_have_a_network_of_their_own(
    textbook_file, bank_folder, crystals, tmp_path
):
    options = SMALL | {"bank": str(bank_folder), "max_atoms": "6", "heads": "contact,distance"}
    train("contact-map", TrainRequest((textbook_file,), tmp_path / "one", options=options))
    more = {"templated": str(tmp_path / "one"), "width": "12", "hidden": "1"}
    train("contact-map", TrainRequest((textbook_file,), tmp_path / "two", options=options | more))
    one, two = (MapModel.load(str(tmp_path / name)) for name in ("one", "two"))
    shown = crystals.inputs.crystals[:, 0] > 0
    hidden = crystals.inputs.masked(shown & ~shown)
    alike = [
        np.array_equal(one.predict(inputs).distances, two.predict(inputs).distances)
        for inputs in (crystals.inputs.rows(shown), hidden)
    ]
    assert alike == [True, False]
    third = options | {"templated": str(tmp_path / "two"), "n_bins": "5"}
    with pytest.raises(InputError, match="other bins"):
        train("contact-map", TrainRequest((textbook_file,), tmp_path / "three", options=third))


@pytest.mark.parametrize(
    ("options", "files", "message"),
    [
        ({"further": "3"}, 1, "1 files and further=3"),
        ({"further": "3", "bank": "none"}, 2, "leave bank=none out"),
        ({"start": "maps", "bank": "none"}, 1, "start='maps' has other weights"),
    ],
)
def test_bad_lessons(options, files, message, textbook_file, tmp_path):
    request = TrainRequest((textbook_file,) * files, tmp_path, options=SMALL | options)
    with pytest.raises(InputError, match=message):
        train("contact-map", request)
