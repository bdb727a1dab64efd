"""Tables and JSON of the command line."""

import json

import numpy as np

from cli.formatting import material_columns, material_notes, material_row, plain, print_json

ROW = {
    "formula_pretty": "MgO", "symmetry": None, "energy_source": "toy at 10 GPa", "pressure": 10.0,
    "known": False, "known_source": "bank (2026-01-01)", "systems_without_reference": ["Mg-O"],
    "superseded_by": None,
}  # fmt: skip


def test_json_has_no_number_that_is_none(capsys):
    print_json({"a": float("nan"), "b": [np.inf, 1.5], "c": np.array([np.nan, 2.0])})
    text = capsys.readouterr().out
    assert json.loads(text) == {"a": None, "b": [None, 1.5], "c": [None, 2.0]}
    assert "NaN" not in text
    assert plain(np.float64("nan")) is None


def test_a_table_calls_enthalpies_enthalpies_and_names_gaps():
    row = material_row(ROW)
    columns = material_columns([row])
    assert columns["energy_above_hull"] == "H_hull"
    assert columns["no_reference"] == "no reference in"
    assert "energy_source" not in columns  # the same in all rows: below the table
    assert "superseded_by" not in columns
    notes = "\n".join(material_notes([row]))
    assert "enthalpies in eV/atom by toy at 10 GPa" in notes
    assert "known, where it is not yes: not in bank (2026-01-01)" in notes


def test_sources_side_by_side_are_named_in_each_row():
    free = {**ROW, "energy_source": "toy", "pressure": 0.0, "superseded_by": "mat-2"}
    rows = [material_row(ROW), material_row(free)]
    columns = material_columns(rows)
    assert columns["energy_source"] == "energies by"
    assert columns["energy_above_hull"] == "E/H_hull"
    assert columns["superseded_by"] == "superseded by"
