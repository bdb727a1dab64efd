"""Live progress: one bar per stage, with counts, rate and the time that is left."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from time import monotonic
from typing import TYPE_CHECKING

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)
from rich.text import Text

from cli.formatting import errors
from screening.progress import Progress as Report
from screening.progress import listen

if TYPE_CHECKING:
    from collections.abc import Iterator


def remaining_seconds(
    completed: float, total: float | None, progressed: float, elapsed: float
) -> float | None:
    """Estimate the time that is left, from the mean rate since the stage began.

    Items finish in batches: a rate over the last seconds is zero between two batches and far too
    high just after one. The mean up to the last item that finished does not move between batches.

    Parameters
    ----------
    completed, total
        Number of items done since the stage began, and of all items if that is known.
    progressed, elapsed
        Seconds from the beginning to the last item that finished, and until now.

    Returns
    -------
    Seconds; None while nothing is done or the total is unknown.

    Examples
    --------
    >>> remaining_seconds(30, 40, progressed=60.0, elapsed=65.0)
    15.0
    """
    if completed <= 0 or total is None:
        return None
    waited = elapsed - progressed
    left = max(total - completed, 0.0)
    at_mean_rate = progressed * left / completed - waited
    # a batch that takes far longer than those before: the estimate grows instead of passing zero
    return max(at_mean_rate, waited * min(left / completed, 1.0))


class RemainingColumn(ProgressColumn):
    """Time that is left; see `remaining_seconds`."""

    def render(self, task: Task) -> Text:
        """Write hours, minutes and seconds."""
        skipped, started, progressed = (
            task.fields.get(name, 0.0) for name in ("skipped", "started", "progressed")
        )
        total = None if task.total is None else task.total - skipped
        seconds = remaining_seconds(
            task.completed - skipped, total, progressed - started, monotonic() - started
        )
        if task.finished:
            return Text("0:00:00", style="cyan")
        if seconds is None:
            return Text("-:--:--", style="cyan")
        return Text(str(timedelta(seconds=round(seconds))), style="cyan")


class RateColumn(ProgressColumn):
    """Items per second."""

    def render(self, task: Task) -> Text:
        """Write the rate."""
        speed = task.finished_speed or task.speed
        return Text(f"{speed:8.1f}/s" if speed else "         -", style="cyan")


class StageBars:
    """Draws reports: one bar per stage; the tasks of a stage add up.

    Parameters
    ----------
    progress
        Display of rich.
    """

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._stages: dict[str, _StageBar] = {}

    def __call__(self, report: Report) -> None:
        """Draw one report."""
        self._progress.start()  # not before: an empty display would write a line
        stage = str(report.stage)
        if stage not in self._stages:
            self._stages[stage] = _StageBar(self._progress.add_task(stage, total=None, detail=""))
        bar = self._stages[stage]
        bar.count(report, monotonic())
        self._progress.update(
            bar.identifier,
            completed=bar.completed,
            total=bar.total or None,
            detail=report.detail[:30],
            skipped=bar.skipped,
            started=bar.started,
            progressed=bar.progressed,
        )


@dataclass
class _StageBar:
    """Counts of one stage.

    Attributes
    ----------
    identifier
        Bar of rich.
    planned, completed, skipped
        Number of items announced; done; and done before, in an earlier run.
    started, progressed
        Clock at the first task, and when an item was last done (seconds).
    tasks
        Task key -> items done, of all its items.
    """

    identifier: TaskID
    planned: int = 0
    completed: float = 0.0
    skipped: float = 0.0
    started: float = 0.0
    progressed: float = 0.0
    tasks: dict[str, tuple[float, float]] = field(default_factory=dict)

    @property
    def total(self) -> float:
        """Number of items: those announced, or those of the tasks that have begun."""
        return max(self.planned, sum(total for _, total in self.tasks.values()))

    def count(self, report: Report, now: float) -> None:
        """Add one report."""
        self.planned += report.planned
        if report.planned:
            return
        total = report.total or report.done
        if report.task not in self.tasks and report.done and report.done == total:
            self.skipped += report.done  # finished at its first report: nothing was computed
        self.tasks[report.task] = (report.done, total)
        self.started = self.started or now
        completed = round(sum(done for done, _ in self.tasks.values()), 3)
        if completed > self.completed:
            self.progressed = now
        self.completed = completed


@contextmanager
def stage_bars(*, quiet: bool = False) -> Iterator[None]:
    """Show the progress of everything that runs inside the block, on standard error."""
    if quiet:
        yield
        return
    columns = (
        TextColumn("{task.description:<12}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        RateColumn(),
        TimeElapsedColumn(),
        RemainingColumn(),
        TextColumn("[dim]{task.fields[detail]}"),
    )
    progress = Progress(*columns, console=errors, transient=False)
    with listen(StageBars(progress)):
        try:
            yield
        finally:
            if progress.live.is_started:
                progress.stop()
