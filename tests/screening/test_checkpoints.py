"""Cards: what is written is read again, and stays readable for people."""

from importlib import import_module

from screening.checkpoints import bundled_names, read_card, save_checkpoint
from screening.checkpoints.card import Card
from screening.checkpoints.former_names import FORMER_NAMES


def test_numbers_of_a_card_stand_on_one_line(tmp_path):
    card = read_card("matgan").model_copy(
        update={
            "description": "texts [1,  2] and { stay }",
            "plots": {"rows": [[1, 2], [3, 4]], "words": ["a [x", "b"], "empty": []},
            "history": {"net": {"epoch": [1.0, 2.0], "loss": [0.5, 0.25]}},
        }
    )
    written = save_checkpoint(tmp_path / "matgan", {}, card)
    assert read_card(str(tmp_path / "matgan")) == written
    assert written.plots == card.plots
    lines = (tmp_path / "matgan" / "card.json").read_text().splitlines()
    assert '      "loss": [ 0.5, 0.25 ]' in lines
    assert "      [ 3, 4 ]" in lines
    assert '  "description": "texts [1,  2] and { stay }",' in lines


def test_bundled_cards_are_whole():
    expected = {"compositions", "cond-cdvae", "energy", "matgan", "prototypes", "symmetry"}
    assert expected <= set(bundled_names())
    for name in bundled_names():
        card = read_card(name)
        for curve in card.history.values():
            assert len({len(column) for column in curve.values()}) <= 1


def test_cards_of_earlier_versions_name_classes_that_are_there():
    card = read_card("prototypes").model_dump()
    for former, present in FORMER_NAMES.items():
        read = Card.model_validate(card | {"model": former})
        assert read.model == present
        module, name = present.split(":")
        assert hasattr(import_module(module), name)
        assert present not in FORMER_NAMES


def test_bundled_cards_name_classes_that_are_there():
    for checkpoint in bundled_names():
        module, name = read_card(checkpoint).model.split(":")
        assert hasattr(import_module(module), name)
