"""DFT of the best candidates in this process: atomate2's unmodified makers run an emulated VASP."""

import os

import pytest
from jobflow import Flow
from pymatgen.core import Lattice, Structure
from tests_dft import alloy, best_of, campaign, set_up

from dashboard.report import write_report
from db_config import get_settings, reset_settings
from flows.campaign import CampaignMaker
from flows.launch import run_flow
from flows.validation import Ending, competing_of, validation_flow
from makers.fields import build_maker
from makers.validation import ValidationMaker
from screening.errors import ConfigError, DatabaseError, InputError
from screening.phonon import phonons as phonons_by_engine
from screening.schemas import (
    CampaignDoc,
    DftDoc,
    HullDoc,
    MaterialDoc,
    PhononDoc,
    RelaxationDoc,
    StructureDoc,
    StructureStage,
    TaskRecord,
)
from stores import Database, close_database, open_database
from stores.queries.lineage import lineage
from vasp_emulator.fixtures import Vasp

pytestmark = [pytest.mark.vasp, pytest.mark.timeout(600)]


def validate(database, maker, hull_id):
    run_flow(Flow([best_of(maker, hull_id)]), database)


@pytest.fixture(scope="module")
def validated(server_dir, vasp_installation, tmp_path_factory):
    """Two candidates of Cu-Au and their elements by DFT; the tests of this module look at them."""
    folder = tmp_path_factory.mktemp("dft")
    with pytest.MonkeyPatch.context() as patch:
        from pymatgen.core import SETTINGS

        command, potcars = vasp_installation
        patch.setitem(SETTINGS, "PMG_VASP_PSP_DIR", str(potcars))
        vasp = Vasp(command, potcars, folder / "calls.jsonl", patch)
        patch.setenv("SCREENING_DATA_DIR", str(server_dir))
        patch.setenv("SCREENING_DATABASE", f"test-dft-{os.getpid()}")
        set_up(vasp, folder, patch)
        reset_settings()
        close_database()
        database = open_database()
        maker, hull_id = campaign(database, [("B2", "Cu", "Au"), ("L12", "Au", "Cu")], "Au-Cu")
        validate(database, maker, hull_id)
        yield database, maker, hull_id, vasp
        database._client.drop_database(database.settings.database)
        close_database()
    reset_settings()


def dft_structures(database, **query):
    return list(database.find(StructureDoc, {"stage": "dft", **query}))


def test_the_campaign_is_finished_and_counts_the_candidates(validated):
    database, maker, _, _ = validated
    found = database.get(CampaignDoc, maker.campaign_id)
    assert found.state == "finished"
    assert (found.funnel["validation"].n_in, found.funnel["validation"].n_out) == (2, 2)
    stages = {row["formula"]: row["stage"] for row in database.rows("candidates")}
    assert stages == {"CuAu": "validation", "Cu3Au": "validation"}


def test_candidates_and_competing_phases_are_relaxed(validated):
    database, _, _, _ = validated
    found = {document.formula: document for document in dft_structures(database)}
    assert set(found) == {"Cu", "Au", "CuAu", "Cu3Au"}
    for document in found.values():
        assert [one.name for one in document.dft.calculations] == ["relax 1", "relax 2", "static"]
        assert document.relaxation.state == "converged"
        assert document.relaxation.fmax < 0.01
        parent = database.get(StructureDoc, document.parent_id)
        assert parent.relaxation.engine.startswith("emt")
        # the emulator answers with EMT, so DFT and the potential agree on the crystal
        assert document.volume_per_atom == pytest.approx(parent.volume_per_atom, rel=0.01)
        assert document.relaxation.volume_change == pytest.approx(0, abs=0.01)


def test_energies_of_dft_and_of_the_potential_never_share_a_hull(validated):
    database, _, hull_id, _ = validated
    hulls = list(database.find(HullDoc))
    assert {hull.energy_source for hull in hulls} == {"emt-ase-3.29.0", "emulated-vasp-paper"}
    for hull in hulls:
        for entry in hull.entries:
            document = database.get(StructureDoc, entry.entry_id)
            assert document.relaxation.engine == hull.energy_source
    dft = next(hull for hull in hulls if hull.hull_id != hull_id)
    potential = database.get(HullDoc, hull_id)
    for mine, theirs in zip(dft.entries, potential.entries, strict=True):
        assert mine.formula == theirs.formula
        assert mine.formation_energy_per_atom == pytest.approx(
            theirs.formation_energy_per_atom, abs=2e-3
        )


def test_phonons_of_the_stable_ones_have_our_verdict(validated):
    database, maker, _, _ = validated
    phonons = list(database.find(PhononDoc))
    (hull,) = database.find(HullDoc, {"energy_source": "emulated-vasp-paper"})
    near = {
        entry.entry_id
        for entry in hull.entries
        if entry.role == "candidate"
        and entry.energy_above_hull <= maker.validation.phonon_max_above_hull
    }
    assert {phonon.structure_id for phonon in phonons} == near != set()
    for phonon in phonons:
        assert phonon.engine == "emulated-vasp-paper"
        structure = database.get(StructureDoc, phonon.structure_id).to_structure()
        options = maker.validation.phonon_maker().options()
        direct = phonons_by_engine(structure, options, structure_id="str-a", engine="emt")
        assert phonon.verdict == direct.verdict
        assert phonon.min_frequency == pytest.approx(direct.min_frequency, abs=0.1)
        top = phonon.bands["frequencies"].max()
        assert top == pytest.approx(direct.bands["frequencies"].max(), rel=0.02)
        names = [one.name for one in phonon.dft.calculations]
        assert names[:2] == ["tight relax 1", "tight relax 2"]
        assert len(names) == 2 + phonon.n_displacements > 3


def test_every_calculation_has_the_settings_of_the_papers(validated):
    database, _, _, vasp = validated
    outputs = [
        row["output"] for row in database.raw("outputs").find({"output.input": {"$ne": None}})
    ]
    assert len(outputs) == len(vasp.calls)
    for output in outputs:
        incar, n_atoms = output["input"]["incar"], len(output["output"]["structure"]["sites"])
        assert (incar["GGA"], incar["ENCUT"]) == ("Pe", 400)
        tight = "tight" in output["task_label"] or "phonon" in output["task_label"]
        assert incar["EDIFF"] == pytest.approx(1e-7 if tight else 1e-5 * n_atoms)
        if incar.get("NSW"):
            assert incar["EDIFFG"] == (-0.001 if tight else -0.01)
        kpoints = output["input"]["kpoints"]
        assert str(kpoints["generation_style"]).lower().startswith("gamma")


def test_every_number_of_a_material_goes_back_to_its_calculation(validated):
    database, _, _, _ = validated
    query = {"energy_source": "emulated-vasp-paper"}
    materials = list(database.find(MaterialDoc, query))
    assert {material.formula_pretty for material in materials} == {"CuAu", "Cu3Au"}
    for material in materials:
        node = lineage(database, material.material_id)
        structure = next(one for one in node.parents if one.kind == "structure")
        assert structure.facts["stage"] == "dft"
        assert structure.facts["energy_per_atom"] == material.energy_per_atom
        assert structure.parents[-1].facts["stage"] == "relaxed"
        calculations = [one for part in node.parents for one in part.parents]
        calculations = [one for one in calculations if one.kind == "calculation"]
        assert {one.identifier for one in calculations} == set(material.task_ids)
        static = next(one for one in calculations if one.facts["name"] == "static")
        assert static.facts["energy_per_atom"] == pytest.approx(material.energy_per_atom)
        assert static.facts["incar"]["ENCUT"] == 400
        assert static.facts["vasp_version"] == "6.4.99-emulator"
        assert all("PAW_PBE" in potcar["titel"] for potcar in static.facts["potcars"])
        assert static.facts["packages"]["atomate2"]
        task = database.raw("outputs").find_one({"uuid": static.identifier})
        assert task["output"]["output"]["energy_per_atom"] == material.energy_per_atom
        if material.dynamic_stability:
            (phonon,) = (one for one in node.parents if one.kind == "phonon")
            assert phonon.facts["verdict"] == material.dynamic_stability


def test_the_estimate_and_what_was_used_are_kept(validated):
    database, _, _, _ = validated
    for document in dft_structures(database):
        assert document.dft.estimated_core_hours > 0
        assert document.dft.core_hours > 0


def test_the_same_campaign_again_runs_nothing(validated, monkeypatch):
    database, maker, hull_id, vasp = validated
    monkeypatch.setenv("SCREENING_DATA_DIR", str(database.settings.data_dir))
    monkeypatch.setenv("SCREENING_DATABASE", database.settings.database)
    monkeypatch.setenv("SCREENING_ALLOW_EMULATOR", "true")
    monkeypatch.setenv("SCREENING_CALCULATION_DIR", str(database.settings.calculations))
    reset_settings()
    before, calls = list(database.find(TaskRecord)), len(vasp.calls)
    validate(database, maker, hull_id)
    assert list(database.find(TaskRecord)) == before
    assert len(vasp.calls) == calls


def test_the_report_compares_the_potential_with_dft(validated, tmp_path):
    database, maker, _, _ = validated
    document = database.get(CampaignDoc, maker.campaign_id)
    path, files = write_report(database, document, tmp_path, top=0)
    text = path.read_text()
    start = text.index("<h2>Validation by DFT</h2>")
    table = text[start : text.index("</table>", start)]
    assert table.count("<tr>") == 3
    assert "An emulator answered, not VASP" in table
    assert "emulated-vasp-paper" in table
    assert "differ by" not in table  # EMT agrees with itself
    assert len(files) == 2  # the potential's crystals only


def test_results_of_an_emulator_are_refused_by_a_real_database(validated, monkeypatch):
    database, _, _, _ = validated
    real = Database(database.settings.model_copy(update={"allow_emulator": False}))
    document = dft_structures(database)[0]
    with pytest.raises(DatabaseError, match="emulator of VASP mean nothing"):
        real.upsert([document])
    phonon = next(database.find(PhononDoc))
    with pytest.raises(DatabaseError, match="emulator of VASP mean nothing"):
        real.upsert([phonon])
    document.dft = DftDoc(settings="paper", calculations=[], emulated=False)
    assert real.upsert([document.model_copy(update={"structure_id": "str-real"})]) == 1
    real.raw("structures").delete_one({"structure_id": "str-real"})
    real.close()


@pytest.fixture
def ready(mongo, vasp, tmp_path, monkeypatch):
    """An empty database that takes an emulator's results."""
    folder = tmp_path / "bin"
    folder.mkdir()
    set_up(vasp, folder, monkeypatch)
    reset_settings()
    yield open_database()
    open_database()._client.drop_database(mongo.database)
    close_database()


def one_alloy(database):
    document = alloy("B2", "Cu", "Au")
    database.upsert([document])
    return document.structure_id


def run_alone(database, name, **fields):
    maker = ValidationMaker(poll_seconds=0.2, phonons=False, **fields)
    competing = competing_of(database, [name])
    run_flow(validation_flow(maker, [name], competing, Ending(None, [], 1.0)), database)
    return list(
        database.find(TaskRecord, {"stage": "validation", "summary.counted": {"$ne": False}})
    )


def test_stubs_are_refused_before_anything_runs(ready, vasp, monkeypatch):
    monkeypatch.setenv("SCREENING_ALLOW_EMULATOR", "false")
    reset_settings()
    database = open_database()
    assert not get_settings().allow_emulator
    name = one_alloy(database)
    with pytest.raises(ConfigError, match="POTCARs of Au, Cu are stubs"):
        run_alone(database, name)
    assert not vasp.log.exists()
    assert not dft_structures(database)


def test_crystals_under_pressure_are_refused(ready, vasp):
    structure = alloy("B2", "Cu", "Au").to_structure()
    relaxation = RelaxationDoc(engine="emt", state="converged", energy_per_atom=0.0, pressure=5.0)
    squeezed = StructureDoc.from_structure(
        structure, stage=StructureStage.RELAXED, relaxation=relaxation
    )
    ready.upsert([squeezed])
    with pytest.raises(InputError, match="relaxed at 5 GPa: DFT relaxes at pressure 0"):
        run_alone(ready, squeezed.structure_id)
    maker = build_maker(
        CampaignMaker,
        {"until": "validation", "relax": {"pressure": 5}, "generation": {"chemsys": "Li-S"}},
    )
    with pytest.raises(ConfigError, match="pressure = 5: DFT"):
        maker.check()
    assert not vasp.log.exists()


def test_a_vasp_that_dies_is_a_failed_task_that_is_tried_again(ready, vasp):
    name = one_alloy(ready)
    vasp.set(faults="killed@*")
    (task,) = run_alone(ready, name)
    assert task.state == "failed"
    assert "DFT left no result" in task.attempts[-1].error
    assert "relax 1" in task.attempts[-1].error
    assert not dft_structures(ready)
    vasp.set(faults="")
    (task,) = run_alone(ready, name)
    assert task.state == "finished"
    assert len(task.attempts) == 2
    assert len(dft_structures(ready)) == 1


def test_what_custodian_corrects_is_told(ready, vasp):
    name = one_alloy(ready)
    vasp.set(faults="zbrent@1")
    run_alone(ready, name)
    (document,) = dft_structures(ready)
    first, second, _ = document.dft.calculations
    assert first.corrected_errors == ["zbrent"]
    assert second.corrected_errors == []
    assert document.relaxation.state == "converged"


def test_without_elements_there_is_no_hull_and_the_reason_is_kept(ready):
    name = one_alloy(ready)
    run_alone(ready, name)
    assert not list(ready.find(HullDoc))
    (task,) = ready.find(TaskRecord, {"summary.counted": False})
    assert task.summary["data"]["reason"] == (
        "no hull: emulated-vasp-paper has no energy of Au, Cu"
    )


def test_salt_with_the_settings_of_the_materials_project(ready, vasp):
    """CHGNet answers for VASP."""
    vasp.set(backend="chgnet")
    crystal = Structure.from_spacegroup(
        "Fm-3m", Lattice.cubic(5.6), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]]
    )
    start = StructureDoc.from_structure(
        crystal.get_primitive_structure(), stage=StructureStage.RELAXED
    )
    ready.upsert([start])
    (task,) = run_alone(ready, start.structure_id, settings="mp")
    assert task.state == "finished", task.attempts[-1].error
    (document,) = dft_structures(ready)
    assert document.relaxation.state == "converged"
    assert document.relaxation.engine == "emulated-vasp-mp2020"
    assert document.volume_per_atom == pytest.approx(5.69**3 / 8, rel=0.03)
    assert document.dft.corrections == {"MP2020 anion correction (Cl)": pytest.approx(-0.307)}
    energy = document.dft.uncorrected_energy_per_atom - 0.307
    assert document.relaxation.energy_per_atom == pytest.approx(energy)
    assert {one.incar["ENCUT"] for one in document.dft.calculations} == {520}
