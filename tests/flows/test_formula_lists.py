"""Long lists of formulas travel by reference: jobs stay small, and identity does not change."""

from itertools import product

import pytest
from bson import BSON

from flows.campaign import CampaignMaker
from flows.launch import run_campaign, submit_campaign, with_stored_lists
from flows.launchpad import open_launchpad
from makers.candidates import CandidatesMaker
from makers.generation import LONG_LIST, GenerationMaker
from screening.errors import ConfigError, DatabaseError
from screening.schemas import BatchDoc, CampaignDoc, CandidateDoc
from stores.queries.formula_lists import load_formulas, save_formulas

FORMULAS = [
    f"{a}{i}{b}{j}{x}{k}"
    for a, b in (("Na", "Fe"), ("Li", "Mn"))
    for x in ("O", "S")
    for i, j, k in product(range(1, 8), repeat=3)
]


def campaign(formulas):
    return CampaignMaker(
        name="many",
        until="candidates",
        generation=GenerationMaker(method="formulas", formulas=formulas, max_atoms=40),
        candidates=CandidatesMaker(top=5),
    )


def test_lists_come_back_whole_and_in_order(database, monkeypatch):
    monkeypatch.setattr("stores.queries.formula_lists.CHUNK", 100)
    list_id = save_formulas(database, FORMULAS)
    assert save_formulas(database, FORMULAS) == list_id
    assert load_formulas(database, list_id) == tuple(FORMULAS)
    assert database.raw("formula_lists").count_documents({}) == -(-len(FORMULAS) // 100)


def test_a_list_that_is_not_there(database):
    with pytest.raises(DatabaseError, match="not complete in this database"):
        load_formulas(database, "flist-abc")


def test_a_text_is_no_list():
    with pytest.raises(ConfigError, match="formulas"):
        GenerationMaker(method="formulas", formulas="NaCl")


def test_the_identity_is_that_of_the_formulas(database):
    assert len(FORMULAS) > LONG_LIST
    plain = campaign(FORMULAS)
    stored = with_stored_lists(plain)
    assert isinstance(stored.generation.formulas, str)
    assert stored.campaign_id == plain.campaign_id
    assert stored.generation.parameters() == plain.generation.parameters()
    assert stored.generation.task_key({}) == plain.generation.task_key({})
    short = campaign(["NaCl"])
    assert with_stored_lists(short).generation.formulas == ["NaCl"]


def test_no_job_and_no_document_holds_the_list(database):
    document, identifiers = submit_campaign(campaign(FORMULAS))
    fireworks = open_launchpad(database).db["fireworks"]
    jobs = list(fireworks.find({"fw_id": {"$in": identifiers}}))
    assert len(jobs) >= 3
    assert max(len(BSON.encode(job)) for job in jobs) < 100_000
    assert len(BSON.encode(document.model_dump(mode="json"))) < 100_000


def test_a_campaign_with_a_stored_list_runs_and_names_it(database):
    document = run_campaign(campaign(FORMULAS))
    batch = next(database.find(BatchDoc))
    assert batch.n_samples == len(FORMULAS)
    assert batch.provenance.parameters["formulas"] == document.config["generation"]["formulas"]
    assert sum(1 for _ in database.find(CandidateDoc)) == 5
    assert database.get(CampaignDoc, campaign(FORMULAS).campaign_id) is not None
