"""`screening compare`: files and folders, tables and JSON."""

import json

import pytest
from pymatgen.core import Lattice, Structure


@pytest.fixture
def files(tmp_path):
    points = [[0, 0, 0], [0.5, 0.5, 0.5]]
    for name, z in (("true", 0.5), ("found_1", 0.47), ("found_2", 0.3)):
        points[1][2] = z
        structure = Structure(Lattice.cubic(4.1), ["Cs", "Cl"], points)
        structure.to(filename=str(tmp_path / f"{name}.cif"))
    (tmp_path / "all").mkdir()
    for rank in (1, 2):
        (tmp_path / f"found_{rank}.cif").rename(tmp_path / "all" / f"found_{rank}.cif")
    return tmp_path / "true.cif", tmp_path / "all"


def test_one_pair(screening, files):
    reference, folder = files
    code, out, err = screening("compare", reference, folder / "found_1.cif")
    assert code == 0, err
    assert "distance_rmse" in out
    assert "Angstrom" in out
    assert "legacy" not in out
    code, out, _ = screening("compare", reference, folder / "found_1.cif", "--json", "--legacy")
    found = json.loads(out)
    assert code == 0
    assert found["match_strict"] is True
    assert found["legacy_wyckoff_mae"] == pytest.approx(0.03 / 6, rel=1e-3)
    assert "--engine" in found["reasons"]["legacy_energy"]


def test_a_folder(screening, files):
    code, out, err = screening("compare", *files)
    assert code == 0, err
    assert "1 references, 2 predictions, 0 of them unreadable" in out
    assert "match rate @1, loose" in out
    assert "METRe, strict" in out
    code, out, _ = screening("compare", *files, "--json")
    found = json.loads(out)
    assert [row["rank"] for row in found["rows"]] == [1, 2]
    assert found["means"]["volume_ratio"]["mean"] == pytest.approx(1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("true.cif", "missing.cif"), "no such file"),
        (("true.cif", "all", "--engine", "chgnet"), "give both or none"),
        (("true.cif", "bad.cif"), "the prediction"),
    ],
)
def test_faults(screening, files, arguments, message):
    folder = files[0].parent
    (folder / "bad.cif").write_text("nothing")
    paths = [folder / a if a.endswith(("cif", "all")) else a for a in arguments]
    code, _, err = screening("compare", *paths)
    assert code == 2
    assert message in err
