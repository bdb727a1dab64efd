"""What all documents share: strictness, provenance, references to checkpoints."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field


def utc_now() -> datetime:
    """Return the current time in UTC, to the millisecond (as MongoDB keeps it)."""
    now = datetime.now(UTC)
    return now.replace(microsecond=now.microsecond // 1000 * 1000)


class Document(BaseModel):
    """Base of every document and sub-document: unknown fields are errors."""

    model_config = ConfigDict(extra="forbid", validate_assignment=True, ser_json_inf_nan="null")


class State(StrEnum):
    """How an attempt at one item ended; failure is data."""

    OK = "ok"
    FAILED = "failed"


class Stage(StrEnum):
    """The stages of a campaign, in order.

    >>> Stage.VALIDATION.reaches(Stage.HULL), Stage.RELAX.reaches(Stage.HULL)
    (True, False)
    """

    GENERATION = "generation"
    VALIDITY = "validity"
    ENERGY = "energy"
    SYMMETRY = "symmetry"
    STRUCTURE = "structure"
    RELAX = "relax"
    HULL = "hull"
    STABILITY = "stability"
    PHONON = "phonon"
    VALIDATION = "validation"

    def reaches(self, stage: Stage) -> bool:
        """Tell whether a campaign whose last stage is this one runs `stage`."""
        order = list(Stage)
        return order.index(self) >= order.index(stage)

    @classmethod
    def last_of(cls, until: str) -> Stage:
        """Return the last stage of a campaign's ``until``; ``candidates`` ends with energies."""
        return cls.ENERGY if until == "candidates" else cls(until)


class CheckpointRef(Document):
    """Which trained model made a prediction."""

    name: str = Field(description="Name of the checkpoint")
    version: str = Field(description="Version written on its card")
    sha256: str = Field(description="SHA-256 of the weights file")


class Provenance(Document):
    """Where a document comes from: enough to make it again."""

    task_key: str = Field(description="Content identity of the task that wrote the document")
    stage: Stage = Field(description="Stage of the campaign")
    stage_version: int = Field(description="Version of the stage's code and meaning")
    maker: str = Field(description="Import path of the Maker")
    parameters: dict[str, Any] = Field(description="Fields of the Maker")
    parents: list[str] = Field(
        default_factory=list, description="Identifiers of the documents that this was made from"
    )
    checkpoint: CheckpointRef | None = Field(None, description="Model that was used, if any")
    seed: int | None = Field(None, description="Seed of the task's random numbers")
    packages: dict[str, str] = Field(default_factory=dict, description="Versions of packages")
    host: str = Field("", description="Name of the machine")
    started: datetime = Field(description="Start of the task (UTC)")
    ended: datetime | None = Field(None, description="End of the task (UTC)")
    job_uuid: str | None = Field(None, description="jobflow's identifier of the job")
    fw_id: int | None = Field(None, description="FireWorks identifier, when run by FireWorks")
