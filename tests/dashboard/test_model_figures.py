"""Figures of models: from the numbers on a card alone, whatever a card has."""

import numpy as np
import pytest
from PIL import Image

from dashboard.figures import caption, model_figures
from dashboard.figures.pictures import write_pngs

PLOTS = {
    "elements": {"label": ["H", "O"], "samples": [0.2, 0.7], "data": [0.1, 0.8]},
    "amounts": {"label": [1, 2], "samples": [0.4, 0.6], "data": [0.5, 0.5]},
    "mp2020": {
        "parity": {"formula": ["LiF", "NaCl"], "computed": [-3.1, -2.1], "predicted": [-3.0, -2.2]},
        "calibration": {"nominal": [0.1, 0.5], "observed": [0.2, 0.55], "observed90": 0.88},
    },
    "confusion": {"classes": ["cubic P", "cubic F"], "counts": [[3, 1], [0, 0]]},
    "map": {"x": [1, 2, 3], "y": [3, 2, 1], "family": [0, 1, 0], "families": ["a", "b", "c"]},
    "samples": {"random": {"x": [1, 2], "y": [0.1, 0.4]}},
    "minima": {"random": {"x": [0.0, 0.3], "y": [0.5, 1.0]}},
    "displacements": {"known": {"x": [0.0], "y": [1.0]}, "random": {"x": [0.2], "y": [0.5]}},
    "landscape": {
        "methods": {"x": [1, 2], "y": [2, 1], "family": [1, 0], "families": ["random", "known"]},
        "energies": {"x": [1, 2], "y": [2, 1], "family": [0, 0], "families": ["below", "above"]},
    },
}
HISTORY = {
    "mlp 1": {"epoch": [1, 2], "loss": [3.0, 2.0], "metric": [0.4, 0.2]},
    "mlp 2": {"epoch": [1, 2], "loss": [3.1, 2.1], "metric": [0.5, 0.3]},
    "size 1": {"epoch": [1], "loss": [1.0]},
    "stopped 1": {},
}
NAMES = [
    "elements", "amounts", "parity mp2020", "calibration mp2020", "confusion", "map",
    "samples", "minima", "displacements", "landscape methods", "landscape energies",
    "training mlp", "training size",
]  # fmt: skip


@pytest.fixture(scope="module")
def figures():
    return model_figures(PLOTS, HISTORY)


def test_one_figure_for_all_that_there_are_numbers_for(figures):
    assert list(figures) == NAMES
    assert all(figure.to_json() and caption(name) for name, figure in figures.items())
    assert caption("parity mp2020").endswith("(mp2020)")


def test_a_card_without_numbers_has_no_figures():
    assert model_figures({}, {}) == {}
    assert list(model_figures({"map": PLOTS["map"]})) == ["map"]


def test_the_numbers_are_those_of_the_card(figures):
    bars, points = figures["elements"].data
    assert (list(bars.x), list(bars.y)) == (["H", "O"], [0.2, 0.7])
    assert list(points.y) == [0.1, 0.8]
    _, curve, diamond = figures["calibration mp2020"].data
    assert (list(curve.x), list(curve.y)) == ([0.1, 0.5], [0.2, 0.55])
    assert list(diamond.y) == [0.88]
    (heat,) = figures["confusion"].data
    np.testing.assert_allclose(heat.z, [[0.75, 0.25], [0, 0]])
    assert [list(row) for row in heat.text] == [["3", "1"], ["", ""]]


def test_families_without_compounds_are_not_in_the_legend(figures):
    assert [(trace.name, list(trace.x)) for trace in figures["map"].data] == [
        ("a", [1, 3]),
        ("b", [2]),
    ]


def test_known_crystals_are_marked_on_a_map_and_lines_have_their_names(figures):
    random, known = figures["landscape methods"].data
    assert (known.name, known.marker.symbol) == ("known", "diamond")
    assert random.marker.symbol is None
    first, second = figures["displacements"].data
    assert (first.name, second.name) == ("known", "random")
    assert second.line.color == figures["samples"].data[0].line.color == random.marker.color
    assert figures["minima"].layout.yaxis.range == (0, 1)


def test_members_share_a_figure_and_the_metric_has_its_own_axis(figures):
    curves = figures["training mlp"].data
    assert [curve.yaxis for curve in curves] == ["y", "y", "y2", "y2"]
    assert [curve.showlegend for curve in curves] == [True, False, True, False]
    assert {curve.yaxis for curve in figures["training size"].data} == {"y"}


def test_pictures_without_a_browser(figures, tmp_path):
    files = write_pngs(figures, tmp_path / "new")
    assert [path.name for path in files] == [f"{name.replace(' ', '-')}.png" for name in NAMES]
    for path, figure in zip(files, figures.values(), strict=True):
        with Image.open(path) as picture:
            pixels = np.asarray(picture.convert("L"))
            assert picture.height == pytest.approx(figure.layout.height * 110 / 96, abs=2)
        assert (pixels < 200).mean() > 0.003  # something is drawn
        assert path.stat().st_size < 150_000
    again = write_pngs(figures, tmp_path / "again")
    assert [p.read_bytes() for p in again] == [p.read_bytes() for p in files]
