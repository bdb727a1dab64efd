"""A campaign is "submitted" only when the LaunchPad has its workflow."""

import pytest

from flows import launch
from flows.campaign import CampaignMaker
from makers.generation import GenerationMaker
from screening.errors import DatabaseError
from screening.schemas import CampaignDoc, CampaignState
from stores.queries.campaigns import mark_submitted


@pytest.fixture
def small():
    return CampaignMaker(
        name="small", until="hull", generation=GenerationMaker(method="formulas", formulas=["NaCl"])
    )


def state(database, campaign):
    return database.get(CampaignDoc, campaign.campaign_id).state


def test_a_failed_submission_is_a_failed_campaign(database, small, monkeypatch):
    def refuse(*_):
        assert state(database, small) == CampaignState.SUBMITTING
        raise DatabaseError("no rights on mongodb://me:hunter2@host")

    monkeypatch.setattr(launch, "submit_flow", refuse)
    with pytest.raises(DatabaseError):
        launch.submit_campaign(small)
    document = database.get(CampaignDoc, small.campaign_id)
    assert document.state == CampaignState.FAILED
    assert document.error == "no rights on mongodb://***@host"


def test_a_killed_submission_is_not_called_submitted(database, small, monkeypatch):
    monkeypatch.setattr(launch, "submit_flow", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        launch.submit_campaign(small)
    assert state(database, small) == CampaignState.FAILED
    monkeypatch.setattr(launch, "_mark_failed", lambda *_: None)  # as after kill -9
    with pytest.raises(KeyboardInterrupt):
        launch.submit_campaign(small)
    assert state(database, small) == CampaignState.SUBMITTING


def test_a_submission_that_succeeds(database, small):
    document, identifiers = launch.submit_campaign(small)
    assert document.state == state(database, small) == CampaignState.SUBMITTED
    assert identifiers


def test_a_worker_that_is_quicker_than_the_submission_keeps_its_state(database, small, monkeypatch):
    def finish_at_once(*_):
        changes = {"state": CampaignState.FINISHED.value}
        database.patch(CampaignDoc, {small.campaign_id: changes})
        return [1]

    monkeypatch.setattr(launch, "submit_flow", finish_at_once)
    assert launch.submit_campaign(small)[0].state == CampaignState.FINISHED
    mark_submitted(database, small.campaign_id)
    assert state(database, small) == CampaignState.FINISHED
