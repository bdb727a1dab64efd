"""DFT of candidates with `code: gpaw`; EMT answers where GPAW would."""

import pytest
from jobflow import Flow
from tests_dft import best_of, campaign
from tests_gpaw import answer_with_emt

from db_config import reset_settings
from flows.inputs import write_inputs
from flows.launch import run_flow
from makers.validation import ValidationMaker
from screening.errors import ConfigError, EngineError, InputError
from screening.gpaw import installation
from screening.schemas import CampaignDoc, HullDoc, PhononDoc, StructureDoc


@pytest.fixture
def emt(database, monkeypatch, tmp_path):
    monkeypatch.setenv("SCREENING_CALCULATION_DIR", str(tmp_path / "calculations"))
    reset_settings()
    answer_with_emt(monkeypatch)


@pytest.mark.timeout(600)
def test_a_campaign_is_validated_by_gpaw(database, emt):
    alloys = [("B2", "Cu", "Au")]
    maker, hull_id = campaign(database, alloys, "Au-Cu", code="gpaw", gpaw_cutoff=500)
    run_flow(Flow([best_of(maker, hull_id)]), database)

    assert database.get(CampaignDoc, maker.campaign_id).state == "finished"
    structures = list(database.find(StructureDoc, {"stage": "dft"}))
    assert {one.formula for one in structures} == {"Cu", "Au", "CuAu"}
    for one in structures:
        assert one.relaxation.engine.startswith("gpaw-")
        assert one.relaxation.engine.endswith("-PBE-500eV")
        assert one.relaxation.state == "converged"
        assert [run.name for run in one.dft.calculations] == ["relax", "static"]
        assert one.dft.calculations[0].gpaw.parameters["mode"]["ecut"] == 500
        parent = database.get(StructureDoc, one.parent_id)
        assert one.volume_per_atom == pytest.approx(parent.volume_per_atom, rel=0.01)
    (hull,) = database.find(HullDoc, {"energy_source": structures[0].relaxation.engine})
    potential = database.get(HullDoc, hull_id)
    for mine, theirs in zip(hull.entries, potential.entries, strict=True):
        assert mine.formula == theirs.formula
        assert mine.formation_energy_per_atom == pytest.approx(
            theirs.formation_energy_per_atom, abs=2e-3
        )
    (phonon,) = database.find(PhononDoc)
    assert phonon.engine == hull.energy_source
    names = [run.name for run in phonon.dft.calculations]
    assert names[0] == "tight relax"
    assert len(names) == 1 + phonon.n_displacements > 1


def test_without_gpaw_the_campaign_does_not_start(monkeypatch):
    monkeypatch.setattr(installation, "find_spec", lambda _: None)
    with pytest.raises(EngineError, match="apt install libxc-dev"):
        ValidationMaker(code="gpaw").check()


def test_the_code_is_part_of_the_identity():
    codes = [ValidationMaker(), ValidationMaker(code="gpaw")]
    codes += [ValidationMaker(code="gpaw", gpaw_cutoff=500)]
    keys = {maker.task_key({"structure_id": "str-a"}) for maker in codes}
    assert len(keys) == 3


def test_other_codes_are_refused():
    from makers.fields import build_maker

    with pytest.raises(ConfigError, match="code"):
        build_maker(ValidationMaker, {"code": "abinit"})


def test_gpaw_has_no_input_files(tmp_path):
    with pytest.raises(InputError, match="no input files"):
        write_inputs(ValidationMaker(code="gpaw"), [], [], tmp_path)
