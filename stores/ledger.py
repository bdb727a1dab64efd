"""The ledger of tasks: who does what, what is finished, every attempt.

A task is claimed by one atomic update. A finished task is never done again; one that runs in a
living process is waited for; one whose owner died (no heartbeat, or no such process on this
machine) is taken over.
"""

from __future__ import annotations

import os
import secrets
import socket
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pymongo import ReturnDocument
from pymongo.errors import DuplicateKeyError, PyMongoError

from screening.errors import ScreeningError, mask_secrets
from screening.schemas import Attempt, Provenance, Stage, TaskState, utc_now

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stores.database import Database

HEARTBEAT = 10.0
LEASE = timedelta(seconds=60)
POLL = 0.5


def process_identity() -> str:
    """Identify this process for its lifetime: pid and start time (pids come back)."""
    return _identity(os.getpid())


def _identity(pid: int) -> str:
    with suppress(OSError, IndexError):
        start = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
        return f"{pid}-{start}"
    return str(pid)


@dataclass(frozen=True)
class Claim:
    """The outcome of a claim.

    Attributes
    ----------
    task_key
        The task.
    summary
        Result of the finished task, or None when it is ours to do.
    owner
        Our token, when it is ours to do.
    """

    task_key: str
    summary: dict[str, Any] | None
    owner: str = ""


class Ledger:
    """Claims, finishes and fails tasks in the collection ``tasks``."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._tasks = database.raw("tasks")

    def claim(
        self, task_key: str, *, stage: Stage, campaign_id: str | None, n_inputs: int
    ) -> Claim:
        """Take a task, wait for the process that does it, or find it finished.

        Parameters
        ----------
        task_key
            Content identity.
        stage, n_inputs
            Kept on a new record.
        campaign_id
            Campaign that asks; added to the record.
        """
        owner = f"{socket.gethostname()}:{process_identity()}:{secrets.token_hex(4)}"
        with self._database.guard():
            while True:
                record = self._register(task_key, stage, campaign_id, n_inputs)
                if record["state"] == TaskState.FINISHED:
                    return Claim(task_key, record["summary"])
                if self._free(record) and self._take(task_key, record, owner):
                    return Claim(task_key, None, owner)
                time.sleep(POLL)

    def is_finished(self, task_key: str) -> bool:
        """Tell whether a task is finished."""
        query = {"task_key": task_key, "state": TaskState.FINISHED.value}
        with self._database.guard():
            return self._tasks.find_one(query, {"_id": 1}) is not None

    def _register(
        self, task_key: str, stage: Stage, campaign_id: str | None, n_inputs: int
    ) -> dict[str, Any]:
        """Make the record if it is new, and add the campaign."""
        insert: dict[str, Any] = {
            "stage": stage.value,
            "state": TaskState.FAILED.value,
            "owner": None,
            "heartbeat": None,
            "attempts": [],
            "n_inputs": n_inputs,
            "summary": {},
            "provenance": None,
        }
        change: dict[str, Any] = {"$setOnInsert": insert}
        if campaign_id:
            change["$addToSet"] = {"campaign_ids": campaign_id}
        else:
            insert["campaign_ids"] = []
        with suppress(DuplicateKeyError):  # somebody inserted it at the same moment
            self._tasks.update_one({"task_key": task_key}, change, upsert=True)
        record: dict[str, Any] = self._tasks.find_one({"task_key": task_key}) or {}
        return record

    @staticmethod
    def _free(record: dict[str, Any]) -> bool:
        """Tell whether nobody alive works on it."""
        if record["state"] != TaskState.RUNNING or not record["owner"]:
            return True
        beat: datetime = record["heartbeat"]
        if beat < utc_now() - LEASE:
            return True
        host, identity, _ = record["owner"].rsplit(":", 2)
        here = bool(host == socket.gethostname())
        return here and _identity(int(identity.split("-")[0])) != identity

    def _take(self, task_key: str, record: dict[str, Any], owner: str) -> bool:
        """Become the owner, unless somebody was faster."""
        now = utc_now()
        attempt = Attempt(
            started=now,
            ended=None,
            host=socket.gethostname(),
            pid=os.getpid(),
            state=TaskState.RUNNING,
            error=None,
        )
        unchanged = {
            "task_key": task_key,
            "state": record["state"],
            "owner": record["owner"],
            "heartbeat": record["heartbeat"],
        }
        change = {
            "$set": {"state": TaskState.RUNNING.value, "owner": owner, "heartbeat": now},
            "$push": {"attempts": attempt.model_dump(mode="python") | {"state": "running"}},
        }
        taken = self._tasks.find_one_and_update(
            unchanged, change, return_document=ReturnDocument.AFTER
        )
        return taken is not None

    @contextmanager
    def alive(self, claim: Claim) -> Iterator[None]:
        """Send heartbeats while the block runs."""
        stop = threading.Event()

        def beat() -> None:
            while not stop.wait(HEARTBEAT):
                with suppress(PyMongoError):
                    self._tasks.update_one(
                        {"task_key": claim.task_key, "owner": claim.owner},
                        {"$set": {"heartbeat": utc_now()}},
                    )

        thread = threading.Thread(target=beat, daemon=True, name="heartbeat")
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()

    def finish(self, claim: Claim, summary: dict[str, Any], provenance: Provenance) -> None:
        """Mark a task as finished; from now on it is never done again."""
        self._end(
            claim,
            TaskState.FINISHED,
            None,
            {
                "summary": _without_secrets(summary),
                "provenance": provenance.model_dump() | {"stage": provenance.stage.value},
            },
        )

    def fail(self, claim: Claim, error: BaseException) -> None:
        """Record why an attempt failed."""
        text = (
            str(error) if isinstance(error, ScreeningError) else f"{type(error).__name__}: {error}"
        )
        masked = mask_secrets(" ".join(text.split()))[:500]
        self._end(claim, TaskState.FAILED, masked, {})

    def _end(
        self, claim: Claim, state: TaskState, error: str | None, fields: dict[str, Any]
    ) -> None:
        change = {
            "state": state.value,
            "owner": None,
            "heartbeat": None,
            "attempts.$[last].state": state.value,
            "attempts.$[last].ended": utc_now(),
            "attempts.$[last].error": error,
            **fields,
        }
        with self._database.guard():
            self._tasks.update_one(
                {"task_key": claim.task_key, "owner": claim.owner},
                {"$set": change},
                array_filters=[
                    {
                        "last.state": TaskState.RUNNING.value,
                        "last.pid": os.getpid(),
                        "last.ended": None,
                    }
                ],
            )


def stale_tasks(database: Database) -> list[str]:
    """List tasks that say they run, though nobody alive works on them."""
    rows = database.rows(
        "tasks", {"state": TaskState.RUNNING.value}, ["task_key", "state", "owner", "heartbeat"]
    )
    return [row["task_key"] for row in rows if Ledger._free(row)]  # noqa: SLF001 - same module


def _without_secrets(summary: dict[str, Any]) -> dict[str, Any]:
    """Hide secrets in the reasons of a summary: they may be texts of foreign exceptions."""
    reasons = summary.get("reasons")
    if not reasons:
        return summary
    return {**summary, "reasons": {mask_secrets(reason): n for reason, n in reasons.items()}}
