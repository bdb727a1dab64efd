"""`screening pressure`: transitions of files, equations of state, and what is refused."""

import json

import pytest
from pymatgen.core import Lattice, Structure


@pytest.fixture
def files(tmp_path):
    body = [[0, 0, 0], [0.5, 0.5, 0.5]]
    Structure(Lattice.cubic(2.9), ["Cu"] * 2, body).to(filename=str(tmp_path / "bcc.cif"))
    fcc = [[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]]
    Structure(Lattice.cubic(3.6), ["Cu"] * 4, fcc).to(filename=str(tmp_path / "fcc.cif"))
    Structure(Lattice.cubic(4.1), ["Au"] * 4, fcc).to(filename=str(tmp_path / "gold.cif"))
    return tmp_path


def test_enthalpies_of_phases(screening, files):
    options = ("--pressures", "0:20:10", "--engine", "emt")
    two = (files / "fcc.cif", files / "bcc.cif")
    code, out, err = screening("pressure", "transitions", *two, *options, "--json")
    assert code == 0, err
    found = json.loads(out)
    assert [row["pressure"] for row in found["rows"]] == [0, 10, 20]
    for row in found["rows"]:
        assert row["fcc"] < row["bcc"]  # EMT's copper stays close-packed
        assert row["fcc_reason"] is None
    assert found["rows"][0]["fcc_volume"] > found["rows"][2]["fcc_volume"]
    assert found["transitions"] == []
    code, out, _ = screening("pressure", "transitions", *two, *options, "-q")
    assert code == 0
    assert "no transition between these pressures" in out


def test_equations_of_state(screening):
    code, out, err = screening("pressure", "eos", "--engine", "emt", "--crystals", "copper", "-q")
    assert code == 0, err
    assert "133.1" in out
    assert "pressures are credible up to" in out


@pytest.mark.parametrize(
    ("names", "pressures", "message"),
    [
        (("fcc", "gold"), "0,10", "phases that follow each other have one composition"),
        (("fcc", "bcc"), "0;10", "use 0,5,10 or FROM:TO:STEP"),
        (("fcc", "bcc"), "0:10:0", "use 0,5,10 or FROM:TO:STEP"),
        (("fcc", "fcc"), "0,10", "two files are called 'fcc'"),
        (("fcc",), "0,5000", "from -50 to 1000 GPa"),
    ],
)
def test_messages(screening, files, names, pressures, message):
    paths = [files / f"{name}.cif" for name in names]
    code, _, err = screening(
        "pressure", "transitions", *paths, "--pressures", pressures, "--engine", "emt"
    )
    assert code != 0
    assert message in err
