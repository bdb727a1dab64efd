"""What is written once per campaign, what a section overrides, and what each job is handed."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from jobflow import Job
from monty.json import jsanitize
from stored_database import stored_campaign

from cli import summary
from cli.predict import predict
from flows.campaign import CampaignMaker
from flows.config import EXAMPLE, dump_campaign
from flows.launch import run_campaign
from flows.predict import prediction_campaign
from makers.fields import build_maker
from makers.hull import HullMaker
from makers.relax import RelaxMaker
from makers.structure import StructureMaker
from screening.errors import ConfigError
from screening.schemas import Stage

MAX_SPEC = 20_000
"""Bytes of a job as FireWorks keeps it."""


def test_an_engine_is_written_once():
    campaign = build_maker(CampaignMaker, {"engine": "emt", "pressure": 5.0, "bank": "mine"})
    assert {campaign.relax.engine, campaign.hull.engine, campaign.phonon.engine} == {"emt"}
    assert campaign.relax.target_pressure == 5.0
    assert campaign.following().pressure == 5.0
    assert campaign.structure.checkpoint == campaign.references.checkpoint == "mine"
    assert campaign.structure.parameters()["checkpoint"] == "mine"


def test_options_go_with_their_engine():
    options = {"engine": "ase.calculators.lj:LennardJones", "engine_options": {"rc": 5.0}}
    campaign = build_maker(CampaignMaker, options | {"phonon": {"engine": "emt"}})
    assert campaign.relax.engine_options == {"rc": 5.0}
    assert campaign.phonon.engine_options == {}
    campaign.relax.engine_options["rc"] = 9.0
    assert campaign.hull.engine_options == {"rc": 5.0}


def test_the_engine_written_once_is_the_one_written_in_each_section():
    once = build_maker(CampaignMaker, {"engine": "emt"})
    each = build_maker(
        CampaignMaker, {name: {"engine": "emt"} for name in ("relax", "hull", "phonon")}
    )
    assert once.campaign_id == each.campaign_id
    assert once.relax.task_key({}) == each.relax.task_key({})
    assert once.relax.task_key({}) == RelaxMaker(engine="emt").task_key({})
    assert HullMaker().source() == CampaignMaker().hull.source()


def test_two_engines_are_refused_with_the_way_out():
    content = {"generation": {"chemsys": "Cu-Au"}, "relax": {"engine": "emt"}}
    campaign = build_maker(CampaignMaker, content)
    with pytest.raises(ConfigError, match="once, at the top of the file"):
        campaign.check()


def test_seeds_follow_the_section_not_the_display_name():
    renamed = CampaignMaker(structure=StructureMaker(name="my structures"))
    assert renamed.structure.seed == CampaignMaker().structure.seed
    assert CampaignMaker().structure.seed != CampaignMaker().generation.seed
    assert CampaignMaker(structure=StructureMaker(seed=99)).structure.seed == 99


def test_a_written_campaign_is_the_same_campaign():
    content = {"engine": "emt", "seed": 3, "structure": {"seed": 99}, "relax": {"pressure": 2.0}}
    campaign = build_maker(CampaignMaker, content)
    text = dump_campaign(campaign)
    written = yaml.safe_load(text)
    assert written["structure"]["seed"] == 99
    assert "seed" not in written["generation"]
    assert "engine" not in written["hull"]
    assert build_maker(CampaignMaker, written).campaign_id == campaign.campaign_id
    resumed = build_maker(CampaignMaker, campaign.config())
    assert resumed.campaign_id == campaign.campaign_id


def test_the_shipped_example_is_what_init_writes():
    assert (Path(__file__).parents[2] / "examples/li-mn-s.yaml").read_text() == EXAMPLE


def test_predict_takes_an_engine():
    campaign = prediction_campaign("NaCl", engine="emt", pressure=3.0, bank="mine")
    assert campaign.relax.source().startswith("emt")
    assert campaign.relax.source().endswith(" at 3 GPa")
    assert campaign.references.checkpoint == "mine"
    assert "engine" in predict.__annotations__


@pytest.mark.parametrize(
    ("until", "sections"),
    [
        ("candidates", []),
        ("structure", ["structure"]),
        ("relax", ["structure", "relax"]),
        ("hull", ["structure", "relax", "hull"]),
        ("phonon", ["structure", "relax", "hull", "phonon"]),
        ("validation", ["structure", "relax", "hull", "phonon"]),
    ],
)
def test_a_campaign_ends_with_its_last_stage(until, sections):
    section = CampaignMaker(until=until).following()
    names = []
    while section is not None:
        names.append(type(section).__name__.removesuffix("Section").lower())
        last, section = section, getattr(section, "then", None)
    assert names == sections
    if until == "structure":
        assert last.references is None
    if until in {"phonon", "validation"}:
        assert (last.validation is not None) == (until == "validation")


def test_stages_are_ordered():
    assert Stage.VALIDATION.reaches(Stage.HULL)
    assert Stage.HULL.reaches(Stage.HULL)
    assert not Stage.RELAX.reaches(Stage.HULL)
    assert Stage.last_of("candidates").reaches(Stage.ENERGY)
    assert not Stage.last_of("candidates").reaches(Stage.SYMMETRY)


@pytest.mark.parametrize(
    ("until", "listed"),
    [("candidates", "candidates"), ("relax", "candidates"), ("hull", "crystals"),
     ("validation", "crystals")],
)  # fmt: skip
def test_what_is_shown_at_the_end_of_a_campaign(monkeypatch, until, listed):
    asked = []
    monkeypatch.setattr(summary, "show", lambda *_, **__: None)
    monkeypatch.setattr(summary, "console", SimpleNamespace(print=lambda *_, **__: None))
    monkeypatch.setattr(
        summary, "campaign_crystals", lambda *_, **__: asked.append("crystals") or []
    )
    monkeypatch.setattr(summary, "reasons_without_hull", lambda *_, **__: [])
    monkeypatch.setattr(summary, "campaign_stabilities", lambda *_, **__: {})
    database = SimpleNamespace(rows=lambda name, *_, **__: asked.append(name) or iter(()))
    document = SimpleNamespace(
        funnel={}, name="x", campaign_id="c", config=CampaignMaker(until=until).config()
    )
    summary.print_campaign(database, document)
    assert asked == [listed]


@pytest.mark.usefixtures("earlier_database")
def test_jobs_are_small(monkeypatch):
    sizes = {}
    run = Job.run

    def measured(job, *arguments, **options):
        sizes[job.name] = len(json.dumps(jsanitize(job.as_dict(), strict=True, enum_values=True)))
        return run(job, *arguments, **options)

    monkeypatch.setattr(Job, "run", measured)
    run_campaign(stored_campaign())
    assert {"after_candidates", "after_structures", "after_relax", "after_hulls"} <= set(sizes)
    assert max(sizes.values()) < MAX_SPEC, sizes
    assert sizes["after_hulls"] < sizes["after_candidates"]
