"""Launching campaigns: in this process, or as FireWorks workflows."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from jobflow import run_locally
from jobflow.managers.fireworks import flow_to_workflow

from flows.launchpad import open_launchpad
from screening.errors import CampaignError, ScreeningError, mask_secrets
from screening.schemas import CampaignDoc, CampaignKind, CampaignState, Stage, utc_now
from stores import Database, open_database
from stores.queries.campaigns import mark_submitted

if TYPE_CHECKING:
    from jobflow import Flow

    from flows.campaign import CampaignMaker


def register(
    database: Database,
    campaign: CampaignMaker,
    launcher: str,
    kind: CampaignKind = CampaignKind.CAMPAIGN,
) -> CampaignDoc:
    """Write, or find, the document of a campaign and mark it as running, or being submitted."""
    document = database.get(CampaignDoc, campaign.campaign_id)
    state = CampaignState.RUNNING if launcher == "local" else CampaignState.SUBMITTING
    if document is None:
        document = CampaignDoc(
            campaign_id=campaign.campaign_id,
            name=campaign.name,
            kind=kind,
            seed=campaign.seed,
            config=campaign.config(),
            state=state,
            launcher=launcher,
        )
    document.state, document.launcher, document.error = state, launcher, None
    document.updated = utc_now()
    database.upsert([document])
    return document


def with_stored_lists(campaign: CampaignMaker) -> CampaignMaker:
    """Store long lists of formulas, so that no job or document holds them."""
    return replace(campaign, generation=campaign.generation.with_stored_formulas())


def run_campaign(
    campaign: CampaignMaker, kind: CampaignKind = CampaignKind.CAMPAIGN
) -> CampaignDoc:
    """Run a campaign in this process; what is finished already is not done again.

    Parameters
    ----------
    campaign
        The campaign.
    kind
        Kept on a new campaign; commands without a name never mean a prediction.

    Raises
    ------
    ScreeningError
        If something other than an item failed; what is finished is kept.
    """
    campaign.check()
    campaign = with_stored_lists(campaign)
    if campaign.last_stage.reaches(Stage.VALIDATION):
        campaign.validation.check()
    database = open_database()
    flow = campaign.make()
    document = register(database, campaign, "local", kind)
    try:
        run_flow(flow, database)
    except BaseException as error:
        _mark_failed(database, document.campaign_id, error)
        raise
    found = database.get(CampaignDoc, document.campaign_id)
    if found is None or found.state != CampaignState.FINISHED:
        raise CampaignError(f"campaign {campaign.name!r} did not finish: `screening resume`")
    return found


def run_flow(flow: Flow, database: Database) -> None:
    """Run a flow in this process and stop at the first exception.

    Items that fail are data, so an exception is a fault of the caller or the machine: the jobs that
    follow would meet it too.
    """
    with database.guard():
        run_locally(flow, log=False, store=database.job_store(), raise_immediately=True)


def _mark_failed(database: Database, campaign_id: str, error: BaseException) -> None:
    text = mask_secrets(str(error)) if isinstance(error, ScreeningError) else type(error).__name__
    if isinstance(error, KeyboardInterrupt | SystemExit):
        text = "interrupted"
    changes = {"state": CampaignState.FAILED.value, "error": text, "updated": utc_now()}
    try:
        database.patch(CampaignDoc, {campaign_id: changes})
    except ScreeningError:
        return  # the database itself is gone; the first error is the one to show


def submit_campaign(campaign: CampaignMaker) -> tuple[CampaignDoc, list[int]]:
    """Add a campaign to the LaunchPad as a FireWorks workflow.

    The campaign is "submitted" only when the LaunchPad has the workflow; a submission that fails
    leaves it "failed", and one that is killed "submitting".

    Returns
    -------
    The campaign, and the identifiers of its first fireworks.

    Raises
    ------
    ScreeningError
        If the workflow cannot be added; nothing waits for workers then.
    """
    campaign.check()
    database = open_database(keep=True)
    campaign = with_stored_lists(campaign)
    document = register(database, campaign, "fireworks")
    try:
        identifiers = submit_flow(campaign.make(), {"campaign_id": campaign.campaign_id})
    except BaseException as error:
        _mark_failed(database, document.campaign_id, error)
        raise
    # a worker may have begun, or even finished, the campaign since
    mark_submitted(database, document.campaign_id)
    return database.get(CampaignDoc, document.campaign_id) or document, identifiers


def submit_flow(flow: Flow, metadata: dict[str, str]) -> list[int]:
    """Add a flow to the LaunchPad; returns the identifiers of its fireworks."""
    database = open_database(keep=True)
    workflow = flow_to_workflow(flow, metadata=metadata)
    with database.guard():
        identifiers = open_launchpad(database).add_wf(workflow)
    return sorted(identifiers.values())
