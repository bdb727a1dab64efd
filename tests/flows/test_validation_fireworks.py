"""DFT of the best candidates on FireWorks: each VASP run is a firework of atomate2's own makers."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from jobflow import Flow
from tests_dft import SEVEN, best_of, campaign, set_up

from db_config import reset_settings
from db_config.files import environment
from flows.launch import run_flow, submit_flow
from flows.launchpad import open_launchpad
from screening.schemas import CampaignDoc, HullDoc, MaterialDoc, PhononDoc, StructureDoc, TaskRecord
from stores import close_database, open_database

pytestmark = [pytest.mark.vasp, pytest.mark.mongo]


@pytest.fixture
def ready(mongo, vasp, tmp_path, monkeypatch):
    """An empty database that takes an emulator's results."""
    folder = tmp_path / "bin"
    folder.mkdir()
    set_up(vasp, folder, monkeypatch)
    reset_settings()
    yield open_database()
    database = open_database()
    database._client.drop_database(f"{mongo.database}_fireworks")
    database._client.drop_database(mongo.database)
    close_database()


def rapidfire(database, folder):
    """Run all fireworks that are ready, and those that they add, as a user would."""
    return subprocess.run(
        [Path(sys.executable).parent / "rlaunch", "-s", "rapidfire"],
        cwd=folder,
        env={
            **os.environ,
            **environment(database.settings),
            "PYTHONPATH": os.pathsep.join(sys.path),
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=3000,
    )


def validation(maker, hull_id):
    return Flow([best_of(maker, hull_id)])


def results(database):
    """What counts of the results of DFT, by formula and crystal."""
    energies = {
        (document.formula, document.parent_id): document.relaxation.energy_per_atom
        for document in database.find(StructureDoc, {"stage": "dft"})
    }
    verdicts = sorted(
        (phonon.verdict.value, phonon.n_displacements, phonon.nsites_supercell)
        for phonon in database.find(PhononDoc)
    )
    above = {
        material.formula_pretty: material.energy_above_hull
        for material in database.find(MaterialDoc, {"energy_source": "emulated-vasp-paper"})
    }
    return energies, verdicts, above


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_seven_candidates_and_phonons_of_the_stable_ones_here_and_on_fireworks(
    ready, vasp, tmp_path, monkeypatch
):
    maker, hull_id = campaign(ready, SEVEN, "Au-Cu-Pd", per_prototype=None, phonon_max_above_hull=0)
    submit_flow(validation(maker, hull_id), {"campaign_id": maker.campaign_id})
    done = rapidfire(ready, tmp_path)
    assert ready.get(CampaignDoc, maker.campaign_id).state == "finished", done.stdout[-3000:]
    there = results(ready)
    energies, verdicts, above = there
    assert len(energies) == 7 + 3  # candidates, elements
    assert len(above) == 7
    stable = [name for name, distance in above.items() if distance == 0]
    assert len(verdicts) == len(stable) > 0
    assert {
        task.provenance.fw_id is None for task in ready.find(TaskRecord, {"stage": "validation"})
    } == {False}
    spec = str(list(ready._client[f"{ready.settings.database}_fireworks"]["fireworks"].find()))
    for secret in (vasp.command, str(vasp.potcars), ready._uri.split("@")[0].split(":")[-1]):
        assert secret not in spec  # facts of the machine are read on the worker
    monkeypatch.setenv("SCREENING_DATABASE", f"{ready.settings.database}-2")
    reset_settings()
    here = open_database()
    maker, hull_id = campaign(here, SEVEN, "Au-Cu-Pd", per_prototype=None, phonon_max_above_hull=0)
    run_flow(validation(maker, hull_id), here)
    energies_here, verdicts_here, above_here = results(here)
    assert energies_here == pytest.approx(energies, abs=1e-5)
    assert above_here == pytest.approx(above, abs=1e-5)
    assert verdicts_here == verdicts
    here._client.drop_database(here.settings.database)


@pytest.mark.timeout(600)
def test_a_vasp_that_dies_holds_up_nothing_and_can_be_run_again(ready, vasp, tmp_path):
    alloys, options = [("B2", "Cu", "Au")], {"competing": False, "phonons": False}
    maker, hull_id = campaign(ready, alloys, "Au-Cu", **options)
    vasp.set(faults="killed@*")
    submit_flow(validation(maker, hull_id), {})
    done = rapidfire(ready, tmp_path)
    assert ready.get(CampaignDoc, maker.campaign_id).state == "finished", done.stdout[-3000:]
    (task,) = ready.find(TaskRecord, {"stage": "validation"})
    assert task.state == "failed"
    assert "FIZZLED" in task.attempts[-1].error
    launchpad = open_launchpad(ready)
    lost = launchpad.get_fw_ids({"state": "FIZZLED"})
    assert len(lost) == 3  # relax 1, and relax 2 and static, which had nothing to start from
    vasp.set(faults="")
    for number in sorted(lost):
        launchpad.rerun_fw(number)
    done = rapidfire(ready, tmp_path)
    (task,) = ready.find(TaskRecord, {"stage": "validation", "summary.counted": True})
    assert task.state == "finished", done.stdout[-3000:]
    (document,) = ready.find(StructureDoc, {"stage": "dft"})
    assert document.relaxation.state == "converged"
    assert not launchpad.get_fw_ids({"state": "FIZZLED"})
    assert not list(ready.find(HullDoc, {"energy_source": {"$ne": "emt-ase-3.29.0"}}))
