"""One campaign."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from pydantic import Field

from screening.schemas.base import Document, utc_now


class CampaignState(StrEnum):
    """State of a campaign."""

    SUBMITTING = "submitting"
    SUBMITTED = "submitted"
    RUNNING = "running"
    FINISHED = "finished"
    FAILED = "failed"


class CampaignKind(StrEnum):
    """What a campaign was started for."""

    CAMPAIGN = "campaign"
    PREDICTION = "prediction"


class FunnelStage(Document):
    """What one stage let through."""

    n_in: int = Field(0, description="Items that entered the stage")
    n_out: int = Field(0, description="Items that left it")
    n_failed: int = Field(0, description="Items that failed, as data")
    unit: str = Field("compositions", description="compositions or structures")
    reasons: dict[str, int] = Field(default_factory=dict, description="Why items stopped here")


class CampaignDoc(Document):
    """One campaign: what was asked, and how far it is."""

    campaign_id: str = Field(description="Key: the configuration")
    name: str = Field(description="Name given by the user")
    kind: CampaignKind = Field(
        CampaignKind.CAMPAIGN, description="campaign, or the prediction of one composition"
    )
    seed: int = Field(description="Seed of all random numbers")
    config: dict[str, Any] = Field(description="The whole configuration, defaults included")
    state: CampaignState = Field(description="State")
    launcher: str = Field("local", description="local or fireworks")
    funnel: dict[str, FunnelStage] = Field(default_factory=dict, description="Counts per stage")
    error: str | None = Field(None, description="Why it failed, in one line")
    created: datetime = Field(default_factory=utc_now, description="First submission (UTC)")
    updated: datetime = Field(default_factory=utc_now, description="Last change (UTC)")
