"""Data frames of collections, and the notebook that uses them."""

from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import pytest
from nbclient import NotebookClient

from screening.errors import InputError
from screening.schemas import Stage
from stores import dataframe
from stores.collections import COLLECTIONS
from stores.queries.frames import plain_fields

NOTEBOOK = Path(__file__).parents[2] / "examples" / "discoveries.ipynb"


def test_a_row_for_each_crystal(filled):
    crystals = dataframe(filled)
    assert crystals.index.name == "material_id"
    assert len(crystals) == filled.raw("materials").count_documents({})
    row = crystals.loc["mat-CuPd3.0"]
    assert (row["formula_pretty"], row["symmetry.number"], row["is_stable"]) == ("CuPd", 221, True)
    assert crystals["energy_above_hull"].dtype == np.float64
    assert pd.isna(crystals.loc["mat-CuPd3.2", "dynamic_stability"])
    assert not any(name.startswith("provenance") for name in crystals.columns)


@pytest.mark.parametrize("collection", sorted(COLLECTIONS))
def test_every_collection_has_its_columns(filled, collection):
    found = dataframe(filled, collection)
    assert len(found) == filled.raw(collection).count_documents({})
    assert [found.index.name, *found.columns] == list(plain_fields(collection))


def test_filter_columns_order_and_limit(filled):
    found = dataframe(
        filled, "materials", 'elements HAS "Pd"', fields=["formula_pretty", "symmetry.symbol"],
        sort="-energy_above_hull", limit=2,
    )  # fmt: skip
    assert list(found.columns) == ["formula_pretty", "symmetry.symbol"]
    assert len(found) == 2
    assert found.index[0] == "mat-CuPd3.2"


def test_more_rows_than_a_page(filled, monkeypatch):
    monkeypatch.setattr("stores.queries.frames.MAX_PAGE", 1)
    assert len(dataframe(filled, "materials", limit=3)) == 3
    assert len(dataframe(filled)) == len(dataframe(filled, limit=100)) == 4


def test_literals_and_unions_are_plain():
    assert {"is_stable", "known_source", "method", "hull_created"} <= set(plain_fields("materials"))
    assert "elements" not in plain_fields("materials")
    assert "stage" in plain_fields("candidates")
    assert Stage.ENERGY == "energy"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("crystals",), "no collection 'crystals'"),
        (("materials", "nelements >"), "nelements >"),
        (("materials", "", ["colour"]), r"materials have no \['colour'\]"),
    ],
)
def test_what_is_wrong_is_named(filled, arguments, message):
    collection, text, fields = (*arguments, "", None)[:3] if len(arguments) < 3 else arguments
    with pytest.raises(InputError, match=message):
        dataframe(filled, collection, text, fields=fields)


def test_the_notebook_runs(filled, monkeypatch, tmp_path):
    monkeypatch.setenv("SCREENING_DATABASE", filled.settings.database)
    monkeypatch.setenv("SCREENING_DATA_DIR", str(filled.settings.data_dir))
    monkeypatch.setenv("PYTHONPATH", str(NOTEBOOK.parents[1]))
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path))
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    assert not any(cell.get("outputs") for cell in notebook.cells), "keep it without outputs"
    NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
    shown = [cell.outputs for cell in notebook.cells if cell.cell_type == "code"]
    text = str(shown)
    assert "CuPd" in text
    figures = text.count("application/vnd.plotly.v1+json")
    assert figures >= 4
