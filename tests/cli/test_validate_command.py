"""`screening validate`, and what `screening db doctor` says of VASP."""

import csv
import json

import pytest
from pymatgen.io.vasp import Incar, Kpoints, Poscar
from tests_dft import alloy, campaign

from stores import open_database

pytestmark = pytest.mark.vasp


@pytest.fixture
def crystal(database):
    document = alloy("L12", "Au", "Cu")
    database.upsert([document])
    return document


def test_a_dry_run_writes_inputs_and_the_estimate(screening, crystal, vasp, tmp_path):
    out = tmp_path / "dft"
    options = ("--set", "min_length=5", "--dry-run", "--out", out, "--json")
    code, text, _ = screening("validate", crystal.structure_id, *options)
    assert code == 0
    (row,) = json.loads(text)
    assert row["formula"] == "Cu3Au"
    assert row["n_electrons"] == 44
    assert row["core_hours"] == pytest.approx(row["relax"] + row["static"] + row["phonons"])
    (folder,) = (path for path in out.iterdir() if path.is_dir())
    kinds = sorted(path.name for path in folder.iterdir())
    displaced = [kind for kind in kinds if kind.startswith("displacement")]
    assert kinds == [*displaced, "relax", "static", "tight"]
    assert len(displaced) == row["n_displacements"]
    for kind in kinds:
        incar = Incar.from_file(folder / kind / "INCAR")
        assert (incar["GGA"], incar["ENCUT"]) == ("Pe", 400)
        assert Kpoints.from_file(folder / kind / "KPOINTS").style.name == "Gamma"
    assert Incar.from_file(folder / "relax" / "INCAR")["EDIFF"] == pytest.approx(4e-5)
    assert (
        len(Poscar.from_file(folder / displaced[0] / "POSCAR").structure)
        == (row["nsites_supercell"])
    )
    assert "STUB" in (folder / "relax" / "POTCAR").read_text()
    with (out / "estimate.csv").open() as file:
        assert next(csv.DictReader(file))["structure_id"] == crystal.structure_id
    assert not vasp.log.exists()


def test_without_potcars_a_spec_names_them(screening, crystal, tmp_path, monkeypatch):
    from pymatgen.core import SETTINGS

    monkeypatch.delenv("PMG_VASP_PSP_DIR", raising=False)
    monkeypatch.setitem(SETTINGS, "PMG_VASP_PSP_DIR", str(tmp_path))
    options = ("--settings", "mp", "--set", "phonons=false", "--dry-run", "--out", tmp_path / "d")
    code, text, _ = screening("validate", crystal.structure_id, *options)
    assert code == 0
    assert "core hours in all" in text
    (spec,) = (tmp_path / "d").glob("*/relax/POTCAR.spec")
    assert spec.read_text().split() == ["Cu_pv", "Au"]


def test_the_campaign_chooses_by_its_policy(screening, database):
    alloys = [("B2", "Cu", "Au"), ("L12", "Au", "Cu"), ("L12", "Cu", "Au")]
    campaign(database, alloys, "Au-Cu", per_prototype=1, phonons=False)
    code, text, _ = screening("validate", "--dry-run", "--json")
    assert code == 0
    rows = {row["formula"]: row["why"] for row in json.loads(text)}
    assert len([why for why in rows.values() if why == "candidate"]) == 2
    assert rows["Cu"] == rows["Au"] == "competing phase"
    code, text, _ = screening("validate", "--dry-run", "--budget", "0.001")
    assert code == 2
    assert open_database().raw("tasks").count_documents({"stage": "validation"}) == 0


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["str-nothing"], ["there is no 'str-nothing'"]),
        (["--set", "top=none"], ["validation.top = 'none'"]),
        (["--settings", "scan"], ["validation.settings = 'scan'"]),
        (["--launcher", "slurm"], ["must be local or fireworks"]),
    ],
)
def test_wrong_words_are_one_line(screening, crystal, arguments, parts):
    chosen = [] if arguments[0].startswith("str-") else [crystal.structure_id]
    code, _, error = screening("validate", *chosen, *arguments)
    assert code == 2
    assert len(error.strip().splitlines()) == 1
    for part in parts:
        assert part in error


def findings(screening):
    _, text, _ = screening("db", "doctor", "--json")
    return {row["check"]: row for row in json.loads(text)}


def test_the_doctor_says_how_to_set_up_vasp(screening, database, tmp_path, monkeypatch):
    from pymatgen.core import SETTINGS

    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("PMG_VASP_PSP_DIR", raising=False)
    monkeypatch.setitem(SETTINGS, "PMG_VASP_PSP_DIR", None)
    found = findings(screening)
    for name, program in (("VASP_CMD", "vasp_std"), ("VASP_GAMMA_CMD", "vasp_gam")):
        assert found[name]["state"] == "warning"
        assert found[name]["finding"] == f"'{program}': there is no program '{program}'"
        assert f"ATOMATE2_{name}=" in found[name]["fix"]
    assert found["POTCARs"]["finding"] == "PMG_VASP_PSP_DIR is not set"
    assert "pmg config" in found["POTCARs"]["fix"]


def test_the_doctor_looks_at_commands_and_potcars(screening, database, vasp, tmp_path, monkeypatch):
    found = findings(screening)
    assert found["VASP_CMD"]["state"] == "ok"
    assert found["POTCARs"]["finding"] == "stubs for an emulator of VASP"
    monkeypatch.setenv("ATOMATE2_VASP_CMD", f"nothere -n 4 {vasp.command}")
    assert "'nothere'" in findings(screening)["VASP_CMD"]["finding"]
    monkeypatch.delenv("ATOMATE2_VASP_CMD")
    (tmp_path / "a.yaml").write_text("VASP_CMD: /opt/vasp/vasp_std\n")
    monkeypatch.setenv("ATOMATE2_CONFIG_FILE", str(tmp_path / "a.yaml"))
    assert "'/opt/vasp/vasp_std'" in findings(screening)["VASP_CMD"]["finding"]
