"""Live progress: one bar per stage, with counts, rate and the time that is left."""

from __future__ import annotations

from contextlib import contextmanager
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
    TimeRemainingColumn,
)
from rich.text import Text

from cli.formatting import errors
from screening.progress import Progress as Report
from screening.progress import listen

if TYPE_CHECKING:
    from collections.abc import Iterator


class RateColumn(ProgressColumn):
    """Items per second."""

    def render(self, task: Task) -> Text:
        """Write the rate."""
        speed = task.finished_speed or task.speed
        return Text(f"{speed:8.1f}/s" if speed else "         -", style="cyan")


class StageBars:
    """Draws reports: one bar per stage; the tasks of a stage add up."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._bars: dict[str, TaskID] = {}
        self._planned: dict[str, int] = {}
        self._tasks: dict[str, dict[str, tuple[int, int]]] = {}

    def __call__(self, report: Report) -> None:
        """Draw one report."""
        self._progress.start()  # not before: an empty display would write a line
        stage = str(report.stage)
        if stage not in self._bars:
            self._bars[stage] = self._progress.add_task(stage, total=None, detail="")
        self._planned[stage] = self._planned.get(stage, 0) + report.planned
        tasks = self._tasks.setdefault(stage, {})
        if not report.planned:
            tasks[report.task] = (report.done, report.total or report.done)
        total = max(self._planned[stage], sum(of for _, of in tasks.values()))
        self._progress.update(
            self._bars[stage],
            completed=sum(done for done, _ in tasks.values()),
            total=total or None,
            detail=report.detail[:30],
        )


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
        TimeRemainingColumn(),
        TextColumn("[dim]{task.fields[detail]}"),
    )
    progress = Progress(*columns, console=errors, transient=False)
    with listen(StageBars(progress)):
        try:
            yield
        finally:
            if progress.live.is_started:
                progress.stop()
