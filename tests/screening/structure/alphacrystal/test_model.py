"""Networks, training, evaluation and the generators of maps."""

import numpy as np
import pytest
import torch

from screening.checkpoints import load_checkpoint
from screening.errors import InputError
from screening.evaluation.alphacrystal.evaluate import HINTS, MapEvaluation
from screening.schemas import BravaisGuess, CheckpointRef, SpaceGroupGuess, SymmetryDoc
from screening.structure.alphacrystal.data import prepare, select_rows
from screening.structure.alphacrystal.generators import ContactMapGenerator, DistanceMatrixGenerator
from screening.structure.alphacrystal.model import MapModel
from screening.structure.alphacrystal.network import make_network
from screening.structure.alphacrystal.options import MapOptions, subset_mask
from screening.structure.alphacrystal.search import Search
from screening.structure.alphacrystal.space_group_choices import all_groups, predicted
from screening.structure.request import Target
from screening.training.registry import evaluate, train
from screening.training.request import EvaluateRequest, TrainRequest, parse_options

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


@pytest.fixture
def rock_salt_symmetry():
    """What the symmetry stage could say of KBr."""
    groups = [(225, 0.6), (221, 0.2), (62, 0.1), (2, 0.05)]
    return SymmetryDoc(
        symmetry_id="sym", formula="KBr",
        bravais=[
            BravaisGuess(bravais="cubic F", probability=0.6, lattice=(6.6, 6.6, 6.6, 90, 90, 90)),
            BravaisGuess(bravais="cubic P", probability=0.2, lattice=(4.1, 4.1, 4.1, 90, 90, 90)),
        ],
        space_groups=[
            SpaceGroupGuess(number=number, symbol="", probability=p) for number, p in groups
        ],
        volume_per_atom=36.0,
        model=CheckpointRef(name="s", version="1", sha256="0" * 64),
    )  # fmt: skip


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
    options = {"bank": str(bank_folder), "max_atoms": "6", "rebuilt": "2", "evaluations": "300"}
    options["algorithms"] = "de,gradient"
    request = EvaluateRequest(textbook_file, checkpoint=str(trained), options=options, plots=True)
    measured = evaluate("alphacrystal", request)
    card = load_checkpoint(str(trained)).card
    assert measured["composition"] == card.metrics["composition"]
    assert measured["model"]["accuracy"] == pytest.approx(card.metrics["model"]["accuracy"])
    assert measured["binary_model"]["n"] + measured["ternary_model"]["n"] == measured["n"]
    rows = measured["rows"]
    assert len(rows) == measured["n"]
    mean = np.mean([row["model"]["dice"] for row in rows])
    assert mean == pytest.approx(measured["model"]["dice"])
    third = measured["figure_3"]["model"]
    assert sum(third["counts"]) == third["n"] == len(rows)
    assert third["mean"] == pytest.approx(measured["model"]["padded_accuracy"])
    assert {row["subset"] for row in measured["table_5"]} <= {"all", "cubic", "binary", "ternary"}
    assert set(measured["rebuilt"]) == {"de", "gradient"}
    ways = {"contacts", "relaxed", "contacts_pair_table", "contacts_composition", "contacts_model"}
    for row in measured["table_2"]["rows"]:
        assert set(row) > ways | {"distances", "formula", "variables"}
    drawn = measured["plots"]["contact_maps"][0]
    assert np.shape(drawn["true"]) == np.shape(drawn["reconstructed"])


def test_both_generators_propose_crystals(trained, small_bank):
    model = MapModel.load(str(trained))
    target = Target("KBr", units=(1,))
    search = Search("de", 100, 12, assignments=3)
    for generator in (ContactMapGenerator, DistanceMatrixGenerator):
        made = generator(model, small_bank, search=search)
        proposals = made.generate(target, 3, seed=1)
        assert 1 <= len(proposals) <= 3
        assert proposals == made.generate(target, 3, seed=1)
        scores = [proposal.score for proposal in proposals]
        assert scores == sorted(scores, reverse=True)
        assert np.shape(proposals[0].parameters["predicted_map"]) == (2, 2)
        assert proposals[0].structure.composition.reduced_formula == "KBr"


def test_a_specialist_sees_only_its_part(textbook_file, make):
    table = make.table_of(make.textbook())
    binary = subset_mask(table, "binary")
    assert binary.any()
    assert (binary ^ subset_mask(table, "ternary")).sum() <= len(table)
    assert not (binary & subset_mask(table, "ternary")).any()
    assert (table["spacegroup_number"][subset_mask(table, "cubic")] >= 195).all()
    assert subset_mask(table, "all").all()


def test_space_groups_come_from_the_predicted_symmetry(rock_salt_symmetry):
    target = Target("KBr", max_atoms=8, symmetry=rock_salt_symmetry)
    found = predicted(target, rock_salt_symmetry, target.allowed_units)
    assert (found[0].number, found[0].units) == (225, 1)
    assert {choice.number for choice in found} == {225, 221, 62}
    assert sum(choice.probability for choice in found) == pytest.approx(0.9)
    assert {choice.number for choice in all_groups((1, 2))} == set(range(1, 231))


def test_predicted_groups_and_sizes_lead_to_the_crystal(trained, small_bank, rock_salt_symmetry):
    target = Target("KBr", max_atoms=4, symmetry=rock_salt_symmetry)
    made = DistanceMatrixGenerator(
        MapModel.load(str(trained)), small_bank, templates=False,
        search=Search("de", 100, 12, assignments=3),
    )  # fmt: skip
    best = made.generate(target, 5, seed=0)[0]
    assert best.parameters["space_group"] == 225
    assert len(best.structure) == 2
    volume = best.structure.volume / 2
    assert volume == pytest.approx(rock_salt_symmetry.volume_per_atom, rel=0.25)


def test_what_helps_to_rebuild():
    chosen = [
        parse_options(MapEvaluation, options).hints
        for options in ({}, {"hints": "none"}, {"hints": "composition,model"})
    ]
    assert chosen == [HINTS, (), ("composition", "model")]
    with pytest.raises(InputError, match="or none"):
        parse_options(MapEvaluation, {"hints": "template"})


def test_bad_options(textbook_file, tmp_path):
    with pytest.raises(InputError, match="use some of"):
        train("contact-map", TrainRequest((textbook_file,), tmp_path, options={"heads": "bond"}))
    with pytest.raises(InputError, match="2 files"):
        train("distance-matrix", TrainRequest((textbook_file,) * 2, tmp_path))
