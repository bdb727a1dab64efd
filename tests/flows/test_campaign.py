"""Whole campaigns: real stages and checkpoints, a real MongoDB, the EMT potential."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from jobflow import Flow

from benchmarks.resume import kill_and_compare
from dashboard.api.flow import PASSED, get_flow
from dashboard.pages.lineage_graph import lineage_graph
from db_config.files import environment
from flows.campaign import CampaignMaker
from flows.launch import run_campaign, submit_campaign
from flows.steps import chunks, largest_systems
from makers.candidates import CandidatesMaker
from makers.generation import GenerationMaker
from makers.relax import RelaxMaker
from screening.errors import ConfigError, InputError
from screening.schemas import (
    BatchDoc,
    CampaignDoc,
    CampaignState,
    CandidateDoc,
    HullDoc,
    MaterialDoc,
    PhononDoc,
    StructureDoc,
    TaskRecord,
)
from stores import close_database, open_database
from stores.queries.documents import campaign_funnel
from stores.queries.lineage import lineage


@pytest.fixture(scope="module")
def finished(server_dir, read_materials):
    """One finished campaign that the tests of this module look at."""
    import yaml

    from benchmarks.resume import CAMPAIGN
    from db_config import reset_settings
    from makers.fields import build_maker

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SCREENING_DATA_DIR", str(server_dir))
        patch.setenv("SCREENING_DATABASE", f"test-finished-{os.getpid()}")
        patch.setenv("SCREENING_PROCESSES", "1")
        reset_settings()
        close_database()
        document = run_campaign(build_maker(CampaignMaker, yaml.safe_load(CAMPAIGN)))
        database = open_database()
        yield database, document, read_materials(database)
        database._client.drop_database(database.settings.database)
        close_database()
    reset_settings()


def test_every_stage_leaves_its_documents(finished):
    database, campaign, _ = finished
    assert campaign.state == CampaignState.FINISHED
    assert list(campaign.funnel) == [
        "generation", "validity", "energy", "symmetry", "structure", "relax", "hull", "stability",
        "phonon",
    ]  # fmt: skip
    assert campaign.funnel["energy"].n_in == 7
    assert campaign.funnel["energy"].n_out == 6
    (batch,) = database.find(BatchDoc)
    assert batch.numbers.shape[0] == batch.n == 7
    candidates = list(database.find(CandidateDoc, sort={"rank": 1}))
    assert [candidate.rank for candidate in candidates] == [1, 2, 3, 4, 5, 6]
    scores = [candidate.score for candidate in candidates]
    assert scores == sorted(scores)
    assert all(candidate.energy.model.sha256 for candidate in candidates)
    assert len(list(database.find(PhononDoc))) == 2
    assert {hull.energy_source[:3] for hull in database.find(HullDoc)} == {"emt"}


def test_materials_are_near_the_hull_and_complete(finished):
    database, campaign, _ = finished
    materials = list(database.find(MaterialDoc))
    assert len({material.formula_pretty for material in materials}) >= 3
    for material in materials:
        assert material.energy_above_hull <= 0.3
        assert material.is_stable == (material.energy_above_hull < 1e-6)
        assert material.campaign_ids == [campaign.campaign_id]
        assert material.origins
        structure = database.get(StructureDoc, material.structure_id)
        assert structure.to_structure().composition.reduced_formula == material.formula_pretty
        assert structure.duplicate_of is None
    assert sum(material.dynamic_stability is not None for material in materials) == 2


def test_lineage_goes_back_to_the_sample(finished):
    database, _, _ = finished
    for material in database.find(MaterialDoc):
        node = lineage(database, material.material_id)
        kinds = []
        while node.parents:
            kinds.append(node.kind)
            node = node.parents[0]
        assert (kinds[0], kinds[-1]) == ("material", "candidate")
        assert len(kinds) >= 4  # generated, relaxed, and relaxed again where the symmetry changed
        assert set(kinds[1:-1]) == {"structure"}
        assert node.kind == "sample"
        batch = database.get(BatchDoc, node.identifier)
        row = batch.numbers[node.facts["sample"]]
        assert len(set(row) - {0}) == material.nelements


def test_the_flows_agree_with_the_funnel(finished):
    database, campaign, _ = finished
    flow = get_flow(database, campaign.campaign_id)
    passed = {node.label: node.n for node in (*flow.compositions.nodes, *flow.structures.nodes)}
    for stage, label in PASSED.items():
        assert passed.get(label, 0) == campaign.funnel[stage].n_out, stage
    relax = campaign.funnel["relax"]
    assert sum(row.n for row in flow.fates) == relax.n_in
    failed = sum(row.ended.get("relaxation failed", 0) for row in flow.fates)
    assert failed == relax.n_in - relax.n_out
    within = [n for fate, n in flow.crystals.items() if fate != "far above the hull"]
    assert sum(within) == campaign.funnel["hull"].n_out
    on_hull = sum(material.is_stable for material in database.find(MaterialDoc))
    assert flow.crystals.get("on the hull", 0) == on_hull


def test_the_lineage_graph_has_every_stage(finished):
    database, _, _ = finished
    query = {"dynamic_stability": {"$ne": None}}
    material = next(database.find(MaterialDoc, query))
    graph = lineage_graph(lineage(database, material.material_id), ["symmetry", "prototypes"])
    tasks = {box.title.split()[0]: box.task for box in graph.boxes}
    assert tasks == {
        "Sample": "generation", "Candidate": "candidates", "Predicted": "symmetry",
        "Generated": "structure", "Relaxed": "relax", "Convex": "hull", "Phonons": "phonon",
        "Crystal": "materials builder",
    }  # fmt: skip
    models = {box.title: box.model for box in graph.boxes if box.model}
    assert models == {"Predicted symmetry": "symmetry", "Generated structure": "prototypes"}
    for box in graph.boxes:
        if box.task_address:
            assert database.get(TaskRecord, box.task_address.rpartition("/")[2])


def test_every_document_has_provenance(finished):
    database, _, _ = finished
    keys = {task.task_key for task in database.find(TaskRecord)}
    for name in ("batches", "verdicts", "energies", "candidates", "structures", "hulls", "phonons"):
        for row in database.rows(name, {}, ["provenance"]):
            assert row["provenance"]["task_key"] in keys, name
            assert row["provenance"]["ended"], name


def test_the_same_campaign_again_does_nothing(finished, read_materials, campaign, monkeypatch):
    database, document, _ = finished
    monkeypatch.setenv("SCREENING_DATA_DIR", str(database.settings.data_dir))
    monkeypatch.setenv("SCREENING_DATABASE", database.settings.database)
    before, tasks = read_materials(database), list(database.find(TaskRecord))
    monkeypatch.setattr(RelaxMaker, "_relax", lambda *_, **__: pytest.fail("done again"))
    again = run_campaign(campaign)
    assert again.campaign_id == document.campaign_id
    assert read_materials(database) == before
    assert list(database.find(TaskRecord)) == tasks


def test_another_campaign_shares_what_is_finished(finished, campaign, monkeypatch):
    database, document, _ = finished
    monkeypatch.setenv("SCREENING_DATA_DIR", str(database.settings.data_dir))
    monkeypatch.setenv("SCREENING_DATABASE", database.settings.database)
    campaign.hull.max_above_hull = 0.05
    campaign.phonon.top = 1
    other = run_campaign(campaign)
    assert other.campaign_id != document.campaign_id
    for task in database.find(TaskRecord, {"stage": {"$in": ["structure", "relax", "phonon"]}}):
        assert len(task.attempts) == 1
        assert other.campaign_id in task.campaign_ids or task.stage == "phonon"


def assert_alike(first, second, where="materials"):
    """Compare documents: the same identifiers and words; numbers may differ by a thousandth.

    Single precision and the trees of the ranking leave that much to the state of a process.
    """
    assert type(first) is type(second), where
    if isinstance(first, dict):
        assert first.keys() == second.keys(), where
        for name in first:
            assert_alike(first[name], second[name], f"{where}.{name}")
    elif isinstance(first, (list, tuple)):
        assert len(first) == len(second), where
        for n, pair in enumerate(zip(first, second, strict=True)):
            assert_alike(*pair, f"{where}[{n}]")
    elif isinstance(first, float):
        assert first == pytest.approx(second, rel=1e-3, abs=1e-5), where
    else:
        assert first == second, where


def test_fireworks_gives_the_same_materials(
    finished, campaign, database, mongo, read_materials, tmp_path
):
    document, identifiers = submit_campaign(campaign)
    assert document.state == CampaignState.SUBMITTED
    assert len(identifiers) == 5
    done = subprocess.run(
        [Path(sys.executable).parent / "rlaunch", "-s", "rapidfire"],
        cwd=tmp_path,
        env={
            **os.environ,
            **environment(mongo),
            "PYTHONPATH": os.pathsep.join(sys.path),
            "SCREENING_PROCESSES": "1",
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    found = database.get(CampaignDoc, document.campaign_id)
    assert found.state == CampaignState.FINISHED, done.stdout[-3000:]
    assert_alike(read_materials(database), finished[2])
    funnel = campaign_funnel(database, document.campaign_id)
    assert funnel == campaign_funnel(finished[0], document.campaign_id)
    records = list(database.find(TaskRecord))
    assert all(record.provenance.fw_id for record in records)
    for secret in database._uri.split("@")[0].split(":")[-1:]:
        spec = str(list(database._client[f"{mongo.database}_fireworks"]["fireworks"].find()))
        assert secret not in spec
    database._client.drop_database(f"{mongo.database}_fireworks")


def test_kills_lose_nothing_and_double_nothing(tmp_path):
    result = kill_and_compare(tmp_path, kills=3, seed=1)
    assert result.kills >= 2
    assert result.equal
    assert result.resumed == result.undisturbed > 0
    assert result.doubled == 0


def test_a_fault_stops_the_campaign_and_resume_goes_on(campaign, database, monkeypatch):
    def full_disk(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("makers.hull.HullMaker._build", full_disk)
        with pytest.raises(OSError, match="No space left"):
            run_campaign(campaign)
    stopped = database.get(CampaignDoc, campaign.campaign_id)
    assert stopped.state == CampaignState.FAILED
    relaxed = database.raw("structures").count_documents({"stage": "relaxed"})
    assert relaxed > 0
    finished = run_campaign(campaign)
    assert finished.state == CampaignState.FINISHED
    assert finished.error is None
    assert database.raw("structures").count_documents({"stage": "relaxed"}) == relaxed


def test_bad_structures_never_stop_a_batch(campaign, database, monkeypatch):
    campaign.relax.max_steps = 2  # nothing converges, some explode
    campaign.until = "relax"
    document = run_campaign(campaign)
    states = database.raw("structures").distinct("relaxation.state")
    assert "not_converged" in states
    assert document.funnel["relax"].n_in == document.funnel["relax"].n_out + (
        document.funnel["relax"].n_failed
    )


@pytest.mark.parametrize("until", ["candidates", "structure", "relax", "hull"])
def test_a_campaign_may_end_early(campaign, database, until):
    campaign.until = until
    campaign.candidates.top = 1
    document = run_campaign(campaign)
    last = {"candidates": "energy", "hull": "stability"}  # compositions are judged after the hulls
    assert list(document.funnel)[-1] == last.get(until, until)


def test_no_survivor_is_a_clear_error(database):
    campaign = CampaignMaker(
        generation=GenerationMaker(method="formulas", formulas=["NaCl7", "Na9Cl"]),
        candidates=CandidatesMaker(rank_by="formation_energy"),
    )
    with pytest.raises(InputError, match="no composition survived"):
        run_campaign(campaign)


def test_the_flow_has_one_chain_per_batch():
    campaign = CampaignMaker(
        generation=GenerationMaker(chemsys="Li-Mn-S", max_atoms=8, batch_size=40)
    )
    flow = campaign.make()
    assert isinstance(flow, Flow)
    n_batches = campaign.generation.generator().n_batches()
    assert n_batches > 1
    assert len(flow.jobs) == 3 * n_batches + 2


def test_identity_of_a_campaign(campaign):
    again = CampaignMaker.from_dict(campaign.as_dict())
    assert again.campaign_id == campaign.campaign_id
    again.relax.fmax = 0.01
    assert again.campaign_id != campaign.campaign_id


def test_engines_must_agree(campaign):
    campaign.hull.engine = "lj"
    with pytest.raises(ConfigError, match="one engine"):
        campaign.check()


def test_largest_systems():
    systems = ["Li-S", "Li-Mn-S", "Mn-S", "Na-S", "S"]
    assert largest_systems(systems) == ["Li-Mn-S", "Na-S"]


def test_chunks():
    assert chunks([1, 2, 3, 4, 5], 2) == [[1, 2], [3, 4], [5]]
    assert chunks([], 2) == []


def test_duplicates_of_several_batches_leave_room_for_others(database):
    campaign = CampaignMaker(
        until="candidates",
        generation=GenerationMaker(
            method="matgan", chemsys="La-Y-F", n_samples=6000, batch_size=400
        ),
        candidates=CandidatesMaker(top=5, rank_by="formation_energy"),
    )
    document = run_campaign(campaign)
    assert document.funnel["generation"].n_out > 20
    rows = list(database.rows("candidates", sort={"rank": 1}))
    assert [row["rank"] for row in rows] == [1, 2, 3, 4, 5]
    assert len({row["formula"] for row in rows}) == 5
