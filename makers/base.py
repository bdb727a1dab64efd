"""The contract of a stage: a Maker whose job is one task of the ledger.

A Maker's fields are the science. Its `make` names the inputs and the work, and `StageMaker.run`
does the rest: the identity of the task from its content, the ledger (a finished task is not done
again), provenance on every document, one bulk write, a small summary as the job's output. Payloads
never pass through jobs: they are in the database.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from copy import deepcopy
from dataclasses import dataclass, field
from functools import cache, partial
from importlib.metadata import PackageNotFoundError, version
from typing import Any, ClassVar

from jobflow import CURRENT_JOB, Maker, job
from pydantic import Field

from db_config import get_settings
from makers.fields import check_fields, identity_fields
from screening.checkpoints import checkpoint_ref, set_checkpoint_folder
from screening.errors import ScreeningError
from screening.identity import content_hash
from screening.progress import report, task_scope
from screening.schemas import CheckpointRef, Document, Provenance, Stage, utc_now
from stores import Database, open_database
from stores.ledger import Claim, Ledger

PACKAGES = (
    "crystal-screening", "numpy", "pymatgen", "torch", "chgnet", "phonopy", "spglib", "atomate2",
    "custodian", "emmet-core",
)  # fmt: skip


class StageSummary(Document):
    """What a stage's job returns: counts and identifiers, never payloads."""

    task_key: str = Field(description="Task of the ledger")
    stage: Stage = Field(description="Stage of the campaign")
    n_in: int = Field(0, description="Items that entered")
    n_out: int = Field(0, description="Items that left")
    n_failed: int = Field(0, description="Items that failed, as data")
    unit: str = Field("compositions", description="compositions or structures")
    counted: bool = Field(True, description="Whether the counts belong into the funnel")
    reasons: dict[str, int] = Field(default_factory=dict, description="Why items stopped here")
    ids: list[str] = Field(default_factory=list, description="Documents for the next stage")
    data: dict[str, Any] = Field(default_factory=dict, description="Small further results")


@dataclass
class TaskOutcome:
    """What the work of a task gives: documents to keep, and the counts.

    Attributes
    ----------
    documents
        To be written, with the documents each was made from.
    n_out, n_failed, unit, counted, reasons, ids, data
        As in StageSummary.
    """

    documents: list[tuple[Document, list[str]]] = field(default_factory=list)
    n_out: int = 0
    n_failed: int = 0
    unit: str = "compositions"
    counted: bool = True
    reasons: dict[str, int] = field(default_factory=dict)
    ids: list[str] = field(default_factory=list)
    data: dict[str, Any] = field(default_factory=dict)

    def count(self, reason: str) -> None:
        """Count one more item that stopped here for `reason`."""
        self.reasons[reason] = self.reasons.get(reason, 0) + 1

    def add(self, document: Document, parents: list[str] | None = None) -> None:
        """Keep a document."""
        self.documents.append((document, parents or []))


BANK = "prototypes"
"""Checkpoint of the prototype bank that comes with the package."""

stage_job = partial(job, output_schema=StageSummary)
"""Decorator of every stage's `make`: the output is a StageSummary."""


@dataclass(frozen=True)
class Inherited:
    """A field that is None in a campaign file and then has the campaign's value.

    Attributes
    ----------
    field
        Field of the campaign.
    default
        Value without a campaign.
    only_with
        Another field that must be inherited too; otherwise the value is `default`.
    """

    field: str
    default: Any
    only_with: str | None = None


@dataclass
class StageMaker(Maker):
    """Base of the stages' Makers.

    Attributes
    ----------
    name
        Name of the jobs.
    """

    name: str = "stage"
    stage: ClassVar[Stage]
    version: ClassVar[int] = 1
    """Raised when the same inputs would give other results: finished tasks are then done again."""
    progress: ClassVar[str | None] = None
    """What reports of progress are called, if not by the stage."""
    inherited: ClassVar[dict[str, Inherited]] = {}
    """Fields that a campaign hands down where they are None."""

    def __post_init__(self) -> None:
        """Check the fields, also of Makers that come out of a database, and fill the empty ones."""
        check_fields(self)
        self.empty = frozenset(name for name in self.inherited if getattr(self, name) is None)
        for name in self.empty:
            setattr(self, name, deepcopy(self.inherited[name].default))

    def inherit(self, values: Mapping[str, Any]) -> None:
        """Take the campaign's values for the fields that were left empty.

        Parameters
        ----------
        values
            Fields of the campaign by name.
        """
        for name in self.empty:
            source = self.inherited[name]
            if source.only_with is None or source.only_with in self.empty:
                setattr(self, name, deepcopy(values[source.field]))

    def identity(self) -> dict[str, Any]:
        """Fields that make up the identity of campaigns."""
        return identity_fields(self)

    def parameters(self) -> dict[str, Any]:
        """Fields that decide the result."""
        return self.identity()

    def described_parameters(self) -> dict[str, Any]:
        """Return the parameters as the provenance of documents names them."""
        return self.parameters()

    def model(self) -> CheckpointRef | None:
        """Checkpoint that is used, if any."""
        name = getattr(self, "checkpoint", None)
        return self._reference(name) if name else None

    @staticmethod
    def _reference(name: str) -> CheckpointRef:
        """Find a checkpoint among the user's and the bundled ones, and verify it."""
        set_checkpoint_folder(get_settings().checkpoint_dir)
        return checkpoint_ref(name)

    def source(self) -> str | None:
        """Whatever else decides the result, such as the version of an energy engine."""
        return None

    def task_key(self, inputs: Any) -> str:
        """Compute the content identity of the task for these inputs."""
        model = self.model()
        return content_hash(
            self.stage, self.version, type(self).__name__, inputs, self.parameters(),
            model.sha256 if model else None, self.source(),
        )  # fmt: skip

    def is_done(self, database: Database, inputs: Any) -> bool:
        """Tell whether the task for these inputs is finished."""
        return Ledger(database).is_finished(self.task_key(inputs))

    def run(
        self,
        work: Callable[[Database], TaskOutcome],
        *,
        inputs: Any,
        n_in: int,
        campaign_id: str | None = None,
    ) -> StageSummary:
        """Do the task unless it is done.

        Parameters
        ----------
        work
            Does it; reads what it needs from the database it is given.
        inputs
            Everything that decides the result beside the Maker's own fields.
        n_in
            Number of items.
        campaign_id
            Campaign that asks.
        """
        database = open_database()
        ledger = Ledger(database)
        key = self.task_key(inputs)
        with task_scope(key):
            claim = ledger.claim(key, stage=self.stage, campaign_id=campaign_id, n_inputs=n_in)
            if claim.summary is not None:
                summary = StageSummary.model_validate(claim.summary)
                n = n_in or summary.n_out
                report(self.progress or self.stage, n, n, "done before")
                return summary
            return self._execute(database, ledger, claim, work, n_in)

    def _execute(
        self,
        database: Database,
        ledger: Ledger,
        claim: Claim,
        work: Callable[[Database], TaskOutcome],
        n_in: int,
    ) -> StageSummary:
        """Work under the lease, write the documents, then finish: a kill between loses nothing."""
        provenance = self._provenance(claim.task_key)
        report(self.progress or self.stage, 0, n_in)  # the clock of the stage starts
        try:
            with ledger.alive(claim):
                outcome = work(database)
                provenance.ended = utc_now()
                database.upsert(
                    _stamp(document, parents, provenance) for document, parents in outcome.documents
                )
                summary = StageSummary(
                    task_key=claim.task_key,
                    stage=self.stage,
                    n_in=n_in,
                    **{k: v for k, v in vars(outcome).items() if k != "documents"},
                )
                ledger.finish(claim, summary.model_dump(mode="json"), provenance)
        except BaseException as error:
            with suppress(ScreeningError):  # the database itself may be gone
                ledger.fail(claim, error)
            raise
        n = n_in or outcome.n_out
        report(self.progress or self.stage, n, n)
        return summary

    def _provenance(self, task_key: str) -> Provenance:
        current = CURRENT_JOB.job
        return Provenance(
            task_key=task_key,
            stage=self.stage,
            stage_version=self.version,
            maker=f"{type(self).__module__}.{type(self).__qualname__}",
            parameters=self.described_parameters(),
            checkpoint=self.model(),
            seed=getattr(self, "seed", None),
            packages=package_versions(),
            host=os.uname().nodename,
            started=utc_now(),
            ended=None,
            job_uuid=current.uuid if current else None,
            fw_id=current.metadata.get("fw_id") if current else None,
        )


def _stamp(document: Document, parents: list[str], provenance: Provenance) -> Document:
    if "provenance" not in type(document).model_fields:
        return document
    return document.model_copy(
        update={"provenance": provenance.model_copy(update={"parents": parents})}
    )


@cache
def package_versions() -> dict[str, str]:
    """Versions of the packages that decide results."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
