"""A database of an earlier version opens with the present code, and resuming it redoes nothing."""

from stored_database import stored_campaign

from flows.launch import run_campaign
from makers.base import StageMaker
from screening.schemas import CampaignState, MaterialDoc, TaskRecord
from stores.blobs import missing_blobs
from stores.collections import COLLECTIONS
from stores.queries.lineage import lineage
from stores.repair import repair

ORDER = (
    "generation", "validity", "energy", "candidates", "symmetry", "structure", "references",
    "relax", "hull", "phonon",
)  # fmt: skip
"""Sections of a campaign, each after those whose results it reads."""
ADDED = {"StabilityMaker"}
"""Stages that the earlier version did not have."""


def maker_of(task: TaskRecord) -> str:
    """Name the class that executed a task."""
    return task.provenance.maker.rpartition(".")[2]


def changed_on_purpose(maker: StageMaker, task: TaskRecord) -> bool:
    """Whether the Maker says that its results differ: its version, weights or engine changed."""
    return maker.version > task.provenance.stage_version or (
        maker.model() is not None and maker.model().sha256 != task.provenance.checkpoint.sha256
    )


def test_every_document_is_read(earlier_database):
    for name, collection in COLLECTIONS.items():
        documents = list(earlier_database.find(collection.schema))
        assert len(documents) == len(list(earlier_database.rows(name)))
    assert len(list(earlier_database.find(MaterialDoc))) == 6
    assert not missing_blobs(earlier_database)


def test_a_material_leads_back_to_its_sample(earlier_database):
    for material in earlier_database.find(MaterialDoc):
        node = lineage(earlier_database, material.material_id)
        while node.parents:
            node = node.parents[0]
        assert node.kind == "sample"


def test_running_the_campaign_again_executes_nothing(earlier_database):
    """Every stage before the first one that was changed on purpose finds its tasks finished.

    A stage is changed on purpose if its Maker's `version` was raised or its checkpoint replaced;
    that stage and those after it may then be executed. If this test fails for another stage, its
    identity changed though its results did not: a field was added without `ADDED`, renamed,
    or given another default, and users' databases would do everything again.
    """
    makers = stored_campaign().stages()
    before = {task.task_key: task for task in earlier_database.find(TaskRecord)}
    example = {maker_of(task): task for task in before.values()}
    unchanged = []
    for section in ORDER:
        maker = makers[section]
        if changed_on_purpose(maker, example[type(maker).__name__]):
            break
        unchanged.append(type(maker).__name__)

    campaign = run_campaign(stored_campaign())

    assert campaign.state == CampaignState.FINISHED
    executed = [task for task in earlier_database.find(TaskRecord) if task.task_key not in before]
    repeated = [
        task
        for task in earlier_database.find(TaskRecord)
        if task.task_key in before and len(task.attempts) > len(before[task.task_key].attempts)
    ]
    assert not repeated
    for task in executed:
        if maker_of(task) not in example:  # a stage that the earlier version did not have
            continue
        old = example[maker_of(task)].provenance.parameters
        assert maker_of(task) not in unchanged, f"{old} became {task.provenance.parameters}"
    if len(unchanged) == len(ORDER):
        assert {maker_of(task) for task in executed} <= ADDED
        assert len(list(earlier_database.rows("campaigns"))) == 1


def test_the_doctor_says_what_earlier_verdicts_rest_on(earlier_database):
    before = {m.material_id: m for m in earlier_database.find(MaterialDoc)}
    assert len(repair(earlier_database)) == 3
    for material in earlier_database.find(MaterialDoc):
        old = before[material.material_id]
        assert material.energy_above_hull == old.energy_above_hull
        assert material.known is not None
        assert "prototype bank 'prototypes'" in material.known_source
        assert material.n_references is not None
    assert repair(earlier_database) == []
