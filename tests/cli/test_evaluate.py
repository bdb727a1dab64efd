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


def test_generators_are_shown_as_tables_and_drawn(screening, tmp_path):
    data, out, folder = tmp_path / "few.parquet", tmp_path / "out.json", tmp_path / "figures"
    pairs = [("Cu", "Au"), ("Ag", "Pd"), ("Ni", "Pt")]
    pd.DataFrame(
        {
            "material_id": ["a", "b", "c"],
            "formula": ["".join(pair) for pair in pairs],
            "n_sites": 2,
            "atomic_numbers": [[29, 79], [47, 46], [28, 78]],
            "lattice": [[3.0, 0, 0, 0, 3.0, 0, 0, 0, 3.0]] * 3,
            "frac_coords": [[0, 0, 0, 0.5, 0.5, 0.5]] * 3,
            "formation_energy_per_atom": -0.1,
            "e_above_hull": 0.0,
            "spacegroup_number": 221,
        }
    ).to_parquet(data)
    settings = ("methods=random", "engine=emt", "epochs=0", "max_steps=30")
    options = [item for setting in settings for item in ("--set", setting)]
    command = ["evaluate", "generators", "--data", data, "--sample", 1, "--top-k", 2, *options]
    code, printed, _ = screening(*command, "--json", out, "--plots", folder)
    assert code == 0
    assert "Matches, strict" in printed
    assert "paper: cond-cdvae" in printed
    rows = json.loads(out.read_text())["rows"]
    assert [row["method"] for row in rows] == ["known", "random", "random"]
    names = {path.stem for path in folder.iterdir()}
    assert {"samples", "minima", "displacements"} <= names
