"""Documents of an older version, which knew the last writer of a structure only."""

from screening.schemas import CampaignDoc, CampaignKind, StructureDoc, StructureRole, TaskRecord
from stores.migration import upgrade
from stores.repair import outdated, repair


def references(database):
    """Structures that the searches for known phases gave."""
    query = {"provenance.maker": "makers.references.ReferencesMaker"}
    tasks = database.find(TaskRecord, query)
    return {name for task in tasks for name in task.summary["ids"]}


def test_roles_are_recovered_from_the_ledger(earlier_database):
    names = references(earlier_database)
    assert names
    for document in earlier_database.find(StructureDoc):
        known = document.structure_id in names or document.parent_id in names
        assert document.is_reference == known
        assert document.role == document.roles[0]
        assert {origin.role for origin in document.origins} <= set(document.roles)


def test_a_role_that_a_later_writer_replaced_comes_back(earlier_database):
    structures = earlier_database.raw("structures")
    older = {"$unset": {"roles": "", "origins.$[].role": ""}, "$set": {"role": "candidate"}}
    structures.update_many({}, older)
    assert upgrade(earlier_database._database) == structures.count_documents({})
    names = references(earlier_database)
    for document in earlier_database.find(StructureDoc):
        if document.structure_id in names or document.parent_id in names:
            reference = StructureRole.ELEMENT if document.nelements == 1 else "competing"
            assert document.roles == [StructureRole.CANDIDATE, reference]
        else:
            assert document.roles == [StructureRole.CANDIDATE]


def test_upgrading_again_changes_nothing(earlier_database):
    structures = earlier_database.raw("structures")
    before = list(structures.find())
    assert upgrade(earlier_database._database) == 0
    assert list(structures.find()) == before


def test_repaired_crystals_belong_to_the_campaigns_that_produced_them(earlier_database):
    (campaign,) = earlier_database.find(CampaignDoc)
    earlier_database.raw("campaigns").insert_one(
        campaign.model_copy(update={"campaign_id": "camp-other"}).model_dump(mode="json")
    )
    materials = earlier_database.raw("materials")
    materials.update_many({}, {"$push": {"campaign_ids": "camp-other"}})
    assert repair(earlier_database)
    assert outdated(earlier_database).n_materials == 0
    for row in materials.find():
        assert row["campaign_ids"] == [campaign.campaign_id]
        assert " #" in row["method"]


def test_predictions_of_an_older_version_are_known_by_what_they_enforce(earlier_database):
    (campaign,) = earlier_database.find(CampaignDoc)
    rows = earlier_database.raw("campaigns")
    for name, enforce in (("predict-NaCl", False), ("predict-mine", True)):
        row = campaign.model_copy(update={"campaign_id": name, "name": name}).model_dump(
            mode="json"
        )
        row["config"]["validity"]["enforce"] = enforce
        del row["kind"]
        rows.insert_one(row)
    upgrade(earlier_database._database)
    kinds = {one.name: one.kind for one in earlier_database.find(CampaignDoc)}
    assert kinds["predict-NaCl"] == CampaignKind.PREDICTION
    assert kinds["predict-mine"] == kinds[campaign.name] == CampaignKind.CAMPAIGN
