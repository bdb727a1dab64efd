"""`screening bank`: users' own crystals become a bank that `predict` uses by its name."""

import json

import pytest
from pymatgen.core import Lattice, Structure

from db_config import get_settings
from flows.predict import by_method


@pytest.fixture
def cifs(tmp_path):
    """The bundled bank knows TlBr; nobody knows a crystal of Eu and Xe in a cell like this."""
    folder = tmp_path / "cifs"
    folder.mkdir()
    for cation, anion in (("Tl", "Br"), ("Eu", "Xe")):
        points = [[0, 0, 0], [0.5, 0.5, 0.5]]
        crystal = Structure(Lattice.cubic(4.1), [cation, anion], points)
        crystal.to(filename=str(folder / f"{cation}.cif"))
    (folder / "bad.cif").write_text("nothing")
    return folder


def test_add_show_predict(screening, cifs):
    code, out, err = screening("bank", "add", cifs, "--out", "mine", "--licence", "CC0", "-q")
    assert code == 0, err
    assert "read 3: added 1, of which 0 are new prototypes; already known 1; refused 1" in out
    assert "bad.cif" in err
    assert (get_settings().checkpoint_dir / "mine" / "card.json").is_file()
    code, out, _ = screening("bank", "add", cifs, "--out", "mine", "--json")
    assert (json.loads(out)["n_added"], json.loads(out)["n_known"]) == (0, 2)
    code, out, _ = screening("bank", "show", "mine", "--json")
    shown = json.loads(out)
    assert shown["data"][-1] == {**shown["data"][-1], "name": "cifs", "rows": 1, "licence": "CC0"}
    code, out, _ = screening("bank", "show", "mine", "--prototype", "AB_cP2_221_a_b-1", "--json")
    assert json.loads(out)[0]["orbits"][0]["elements"]["Eu"] >= 1
    arguments = ["predict", "EuXe", "--no-relax", "--methods", "prototypes=2", "--json"]
    code, out, err = screening(*arguments, "--bank", "mine")
    assert code == 0, err
    first = json.loads(out)[0]
    assert first["origins"][0]["parameters"]["known"] is True
    assert first["origins"][0]["template"] == "AB_cP2_221_a_b-1"
    assert first["volume_per_atom"] == pytest.approx(4.1**3 / 2, rel=1e-4)


def test_tables(screening):
    code, out, _ = screening("bank", "show", "--limit", "3")
    assert code == 0
    assert "ABC2_cF16_225_a_b_c-1" in out
    assert "stoichiometries" in out
    code, out, _ = screening("bank", "show", "--prototype", "AB2_tP6_136_a_f")
    assert code == 0
    assert "P4_2/mnm (136)" in out
    assert "4f" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["add", "nowhere", "--out", "mine"], "no such file: nowhere"),
        (["add", "mp", "--out", "mine"], "'mp' needs --chemsys"),
        (["show", "energy"], "not a prototype bank"),
        (["show", "--prototype", "magic"], "no prototype 'magic'"),
    ],
)
def test_errors_are_one_line(screening, arguments, message):
    code, _, err = screening("bank", *arguments)
    assert code != 0
    assert message in err
    assert err.count("\n") == 1


def test_what_each_method_found():
    def row(*methods):
        return {"origins": [{"method": method, "rank": 1} for method in methods]}

    rows = [row("b", "b"), row("a", "b"), row("b")]
    assert by_method(rows) == {"a": (1, 0), "b": (3, 2)}
