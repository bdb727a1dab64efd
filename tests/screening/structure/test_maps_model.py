"""Networks, training, evaluation and the generators of maps."""

import numpy as np
import pytest
import torch

from screening.checkpoints import load_checkpoint
from screening.errors import InputError
from screening.structure.maps.data import prepare, select_rows
from screening.structure.maps.generators import ContactMapGenerator, DistanceMatrixGenerator
from screening.structure.maps.model import MapModel
from screening.structure.maps.network import make_network
from screening.structure.maps.options import MapOptions
from screening.structure.maps.reconstruct import Search
from screening.structure.target import Target
from screening.training.registry import evaluate, train
from screening.training.request import EvaluateRequest, TrainRequest

SMALL = {"width": "16", "pair_width": "8", "layers": "1", "epochs": "25", "max_atoms": "6"}


@pytest.fixture(scope="module")
def bank_folder(textbook_file, tmp_path_factory):
    folder = tmp_path_factory.mktemp("bank") / "bank"
    train("prototypes", TrainRequest((textbook_file,), folder, options={"epochs": "0"}))
    return folder


@pytest.fixture(scope="module")
def trained(textbook_file, bank_folder, tmp_path_factory):
    folder = tmp_path_factory.mktemp("maps") / "maps"
    options = SMALL | {
        "heads": "contact,distance",
        "bank": str(bank_folder),
        "batch_size": "8",
        "learning_rate": "0.006",
        "test_fraction": "0.2",
    }
    train("contact-map", TrainRequest((textbook_file,), folder, options=options))
    return folder


@pytest.fixture(scope="module")
def crystals(make, small_bank):
    return prepare(select_rows(make.table_of(make.textbook()), 6, metals=False), small_bank, 6)


@pytest.mark.parametrize("architecture", ["transformer", "residual"])
def test_networks_give_symmetric_maps(architecture, crystals):
    options = MapOptions(
        architecture=architecture, width=16, pair_width=8, layers=1, pair_widths=(8, 8), blocks=1
    )
    outputs = make_network(options.network()).eval()(crystals.inputs)
    assert outputs.shape == (len(crystals), 6, 6, 24)
    size = int((crystals.inputs.numbers[0] > 0).sum())
    part = outputs[0, :size, :size].detach()
    if architecture == "transformer":
        assert torch.allclose(part, part.transpose(0, 1), atol=1e-5)


def test_templates_leave_the_crystal_itself_out(crystals):
    known = np.isfinite(crystals.first[:, 0, 0])
    assert known.mean() > 0.9
    errors = np.nanmax(np.abs(crystals.first - crystals.aligned)[known], axis=(1, 2))
    assert errors.min() > 1e-4
    hidden = crystals.inputs.masked(torch.zeros(len(crystals), dtype=torch.bool))
    assert not hidden.pairs.any()


def test_rows_are_chosen_as_in_the_papers(make):
    table = make.table_of([make.rock_salt("Na", "Cl"), make.caesium_chloride("Na", "Cl")])
    table["formation_energy_per_atom"] = [-1.0, -2.0]
    assert select_rows(table, 12, metals=False)["material_id"].tolist() == ["test-1"]
    alloy = make.table_of([make.caesium_chloride("Cu", "Zn")])
    assert not len(select_rows(alloy, 12, metals=False))
    assert len(select_rows(alloy, 12, metals=True)) == 1


def test_the_card_says_how_good_it_is(trained):
    card = load_checkpoint(str(trained)).card
    assert card.metrics["n"] == card.split["n_test"] > 3
    for name in ("pair_table", "composition", "template", "model"):
        assert 0 <= card.metrics[name]["exact"] <= card.metrics[name]["accuracy"] <= 1
    assert card.metrics["model"]["rmse"] < card.metrics["pair_table"]["rmse"]


def test_evaluation_repeats_the_card(trained, textbook_file, bank_folder):
    options = {"bank": str(bank_folder), "max_atoms": "6"}
    request = EvaluateRequest(textbook_file, checkpoint=str(trained), options=options)
    measured = evaluate("alphacrystal", request)
    card = load_checkpoint(str(trained)).card
    assert measured["composition"] == card.metrics["composition"]
    assert measured["model"]["accuracy"] == pytest.approx(card.metrics["model"]["accuracy"])
    assert measured["binary_model"]["n"] + measured["ternary_model"]["n"] == measured["n"]


def test_both_generators_propose_crystals(trained, small_bank):
    model = MapModel.load(str(trained))
    target = Target("KBr", units=(1,))
    search = Search(occupations=3, size=12, generations=8)
    for generator in (ContactMapGenerator, DistanceMatrixGenerator):
        made = generator(model, small_bank, search=search)
        proposals = made.generate(target, 3, seed=1)
        assert 1 <= len(proposals) <= 3
        assert proposals == made.generate(target, 3, seed=1)
        scores = [proposal.score for proposal in proposals]
        assert scores == sorted(scores, reverse=True)
        assert np.shape(proposals[0].parameters["predicted_map"]) == (2, 2)
        assert proposals[0].structure.composition.reduced_formula == "KBr"


def test_bad_options(textbook_file, tmp_path):
    with pytest.raises(InputError, match="use some of"):
        train("contact-map", TrainRequest((textbook_file,), tmp_path, options={"heads": "bond"}))
    with pytest.raises(InputError, match="2 files"):
        train("distance-matrix", TrainRequest((textbook_file,) * 2, tmp_path))
