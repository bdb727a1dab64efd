"""The stage contract, with a small stage of its own."""

from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar

import pytest
from jobflow import Flow, run_locally
from pydantic import Field

from makers.base import StageMaker, StageSummary, TaskOutcome, stage_job
from screening.errors import ConfigError
from screening.progress import listen
from screening.schemas import HullDoc, Stage, TaskRecord, TaskState

CALLS: list[str] = []


@dataclass
class CornerMaker(StageMaker):
    """Writes a hull without entries for each chemical system."""

    name: str = "corner"
    stage: ClassVar[Stage] = Stage.HULL
    scale: Annotated[float, Field(gt=0)] = 1.0
    seed: int | None = 3
    options: dict[str, Any] = field(default_factory=dict)

    @stage_job
    def make(self, systems: list[str], campaign_id: str | None = None) -> StageSummary:
        return self.run(
            lambda _: self._work(systems),
            inputs={"systems": systems},
            n_in=len(systems),
            campaign_id=campaign_id,
        )

    def _work(self, systems):
        CALLS.append(",".join(systems))
        if "bad" in systems:
            raise ValueError("no\nluck")
        outcome = TaskOutcome(n_out=len(systems), unit="structures")
        for system in systems:
            hull = HullDoc(
                hull_id=f"hull-{system}",
                chemsys=system,
                energy_source="test",
                n_entries=0,
                entries=[],
            )
            outcome.add(hull, [f"parent-of-{system}"])
            outcome.ids.append(hull.hull_id)
        return outcome


@dataclass
class SecondMaker(CornerMaker):
    """Another job of the same stage that goes through the same items."""

    name: str = "second"
    progress: ClassVar[str | None] = "choice"


@pytest.fixture(autouse=True)
def no_calls():
    CALLS.clear()


def run(database, *jobs):
    responses = run_locally(
        Flow(list(jobs)), log=False, store=database.job_store(), raise_immediately=True
    )
    return [responses[job.uuid][1].output for job in jobs]


def test_a_task_writes_documents_with_provenance(database):
    (summary,) = run(database, CornerMaker().make(["Li-S"], "camp-1"))
    assert StageSummary.model_validate(summary).ids == ["hull-Li-S"]
    document = database.get(HullDoc, "hull-Li-S")
    made = document.provenance
    assert made.task_key == summary.task_key
    assert made.maker.endswith("CornerMaker")
    assert made.parameters == {"scale": 1.0, "seed": 3, "options": {}}
    assert made.parents == ["parent-of-Li-S"]
    assert made.seed == 3
    assert made.packages["pymatgen"]
    assert made.job_uuid
    assert made.started <= made.ended
    record = database.get(TaskRecord, summary.task_key)
    assert record.state == TaskState.FINISHED
    assert record.summary["ids"] == ["hull-Li-S"]


def test_a_finished_task_is_not_done_again_by_another_campaign(database):
    (first,) = run(database, CornerMaker().make(["Li-S"], "camp-1"))
    (second,) = run(database, CornerMaker(name="other name").make(["Li-S"], "camp-2"))
    assert CALLS == ["Li-S"]
    assert second == first
    assert database.get(TaskRecord, first.task_key).campaign_ids == ["camp-1", "camp-2"]


def test_identity_is_content(monkeypatch):
    base = CornerMaker().task_key({"systems": ["Li-S"]})
    assert CornerMaker(name="another").task_key({"systems": ["Li-S"]}) == base
    assert CornerMaker(scale=2).task_key({"systems": ["Li-S"]}) != base
    assert CornerMaker(seed=4).task_key({"systems": ["Li-S"]}) != base
    assert CornerMaker().task_key({"systems": ["Li-Se"]}) != base
    monkeypatch.setattr(CornerMaker, "version", 2)
    assert CornerMaker().task_key({"systems": ["Li-S"]}) != base


def test_a_fault_is_recorded_and_raised_and_the_task_can_be_done_later(database, monkeypatch):
    with pytest.raises(ValueError, match="no\nluck"):
        run(database, CornerMaker().make(["bad"]))
    key = CornerMaker().task_key({"systems": ["bad"]})
    record = database.get(TaskRecord, key)
    assert record.state == TaskState.FAILED
    assert record.attempts[0].error == "ValueError: no luck"
    monkeypatch.setattr(CornerMaker, "_work", lambda *_: TaskOutcome())
    run(database, CornerMaker().make(["bad"]))
    assert database.get(TaskRecord, key).state == TaskState.FINISHED


def test_a_kill_between_writing_and_finishing_doubles_nothing(database, monkeypatch):
    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("stores.ledger.Ledger.finish", killed)
        with pytest.raises(KeyboardInterrupt):
            run(database, CornerMaker().make(["Li-S", "Mn-S"]))
    assert database.raw("hulls").count_documents({}) == 2
    (summary,) = run(database, CornerMaker().make(["Li-S", "Mn-S"]))
    assert database.raw("hulls").count_documents({}) == 2
    assert [a.state for a in database.get(TaskRecord, summary.task_key).attempts] == [
        "failed",
        "finished",
    ]


def test_outputs_of_one_job_are_inputs_of_the_next(database):
    first = CornerMaker().make(["Li-S"])
    second = CornerMaker().make(first.output.ids)
    summaries = run(database, first, second)
    assert summaries[1].ids == ["hull-hull-Li-S"]


def test_progress_is_reported(database):
    seen = []
    with listen(seen.append):
        run(database, CornerMaker().make(["Li-S"]))
        run(database, CornerMaker().make(["Li-S"]))
    assert [(report.stage, report.done, report.detail) for report in seen] == [
        ("hull", 0, ""),
        ("hull", 1, ""),
        ("hull", 1, "done before"),
    ]


def test_jobs_that_go_through_the_same_items_do_not_add_up(database):
    seen = []
    with listen(seen.append):
        run(database, CornerMaker().make(["Li-S"]), SecondMaker().make(["Li-S"]))
    assert [(report.stage, report.done) for report in seen] == [
        ("hull", 0), ("hull", 1), ("choice", 0), ("choice", 1),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"scale": -1}, "scale = -1"),
        ({"scale": "wide"}, "scale = 'wide'"),
        ({"seed": 1.5}, "seed = 1.5"),
    ],
)
def test_wrong_fields_are_refused_in_python_too(fields, message):
    with pytest.raises(ConfigError, match=message):
        CornerMaker(**fields)


def test_makers_survive_the_database():
    maker = CornerMaker(scale=2, options={"a": [1]})
    again = CornerMaker.from_dict(maker.as_dict())
    assert again == maker
    assert again.task_key({}) == maker.task_key({})
