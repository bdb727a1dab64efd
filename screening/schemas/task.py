"""The ledger: one execution of one stage on one batch of inputs."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from pydantic import Field

from screening.schemas.base import Document, Provenance, Stage


class TaskState(StrEnum):
    """State of a task."""

    RUNNING = "running"
    FINISHED = "finished"
    FAILED = "failed"


class Attempt(Document):
    """One attempt at a task."""

    started: datetime = Field(description="Start (UTC)")
    ended: datetime | None = Field(None, description="End (UTC); empty when it was killed")
    host: str = Field(description="Machine")
    pid: int = Field(description="Process")
    state: TaskState = Field(description="How it ended; running if it was killed")
    error: str | None = Field(None, description="One line")


class TaskRecord(Document):
    """One task, found by the hash of everything that decides its result."""

    task_key: str = Field(description="SHA-256 of stage, version, inputs, parameters, model, seed")
    stage: Stage = Field(description="Stage of the campaign")
    campaign_ids: list[str] = Field(description="Campaigns that asked for it")
    state: TaskState = Field(description="State of the last attempt")
    owner: str | None = Field(None, description="Token of the process that holds it")
    heartbeat: datetime | None = Field(None, description="Last sign of life of the owner (UTC)")
    attempts: list[Attempt] = Field(default_factory=list, description="All attempts")
    n_inputs: int = Field(0, description="Number of inputs")
    summary: dict[str, Any] = Field(default_factory=dict, description="What it gave, in short")
    provenance: Provenance | None = Field(None, description="Of the attempt that finished")
