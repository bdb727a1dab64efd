"""`screening evaluate`: what it prints, writes and draws."""

import json

import pandas as pd


def test_figures_of_a_measurement(screening, tmp_path):
    data, folder, out = tmp_path / "few.parquet", tmp_path / "figures", tmp_path / "out.json"
    pd.DataFrame({"formula": ["LiFeO2", "NaCl", "CuAu"]}).to_parquet(data)
    options = ["--data", data, "--checkpoint", "matgan", "--sample", 500, "--plots", folder]
    code, printed, _ = screening("evaluate", "generation", *options, "--json", out)
    assert code == 0
    assert "plots" not in json.loads(printed)
    assert "elements" in json.loads(out.read_text())["plots"]
    names = {path.stem for path in folder.iterdir()}
    assert names == {"elements", "amounts", "n_elements", "training-matgan"}


def test_what_has_no_figures_is_said_before_it_is_measured(screening, tmp_path):
    options = ["--data", tmp_path / "no.parquet", "--plots", tmp_path / "figures"]
    code, printed, error = screening("evaluate", "structures", *options)
    assert code != 0
    assert printed == ""
    assert "no figures of 'structures'; use one of ['alphacrystal', 'energy'," in error
    assert not (tmp_path / "figures").exists()


def test_matches_are_counted_for_rebuilt_crystals_only(screening, tmp_path):
    code, printed, error = screening(
        "evaluate", "energy", "--data", tmp_path / "no.parquet", "--match", 10
    )
    assert code != 0
    assert printed == ""
    assert "'energy' rebuilds no crystals; use 'alphacrystal'" in error
