"""Progress without a user interface: stages report, whoever listens draws.

The science and the Makers call `report`; the command line installs a listener (rich bars), tests
install a list, and without a listener nothing happens.
"""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@dataclass(frozen=True)
class Progress:
    """One report of one task.

    Attributes
    ----------
    stage
        Stage of the campaign.
    done, total
        Items done, of all items of the task (None while that is not known). An item that is half
        done counts as a half.
    detail
        What is being worked on.
    task
        The task; a stage has many, which add up.
    planned
        Items that the stage is going to get, in addition to earlier plans.
    """

    stage: str
    done: float = 0
    total: int | None = None
    detail: str = ""
    task: str = ""
    planned: int = 0


_task: ContextVar[str] = ContextVar("task", default="")
_listener: ContextVar[Callable[[Progress], None] | None] = ContextVar("listener", default=None)


def report(stage: str, done: float, total: int | None = None, detail: str = "") -> None:
    """Tell the listener, if there is one, how far `stage` is."""
    listener = _listener.get()
    if listener is not None:
        listener(Progress(stage, done, total, detail, task=_task.get()))


def plan(stage: str, n: int) -> None:
    """Tell the listener that `stage` is going to get `n` more items."""
    listener = _listener.get()
    if listener is not None:
        listener(Progress(stage, planned=n))


@contextmanager
def task_scope(task: str) -> Iterator[None]:
    """Attribute the reports made inside the block to a task."""
    token = _task.set(task)
    try:
        yield
    finally:
        _task.reset(token)


@contextmanager
def listen(listener: Callable[[Progress], None]) -> Iterator[None]:
    """Send every report made inside the block to `listener`."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)
