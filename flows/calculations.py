"""Running atomate2's jobs: as fireworks of their own, or one after another in this process."""

from __future__ import annotations

import logging
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
from jobflow import CURRENT_JOB, Flow, Response, run_locally

from db_config import get_settings
from screening.progress import plan, report
from screening.schemas import Stage
from stores import open_database

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from jobflow import Job

    from makers.dft.flows import CalculationFlow

LOCAL_MANAGER = "jobflow.managers.local"


def on_fireworks() -> bool:
    """Tell whether the current job is run by FireWorks."""
    current = CURRENT_JOB.job
    return bool(current and current.metadata.get("fw_id"))


def calculated(
    flows: Sequence[CalculationFlow], then: Callable[[dict[str, str]], list[Job]]
) -> Response[Any]:
    """Run flows of atomate2, then jobs of ours.

    A calculation that fails ends neither the others nor the campaign.

    Parameters
    ----------
    flows
        The flows.
    then
        Makes the jobs that follow, from the reasons of failures that are known (result -> text).
        On FireWorks they wait for the flows, and no reason is known yet.
    """
    plan(Stage.VALIDATION, len(flows))
    if on_fireworks():
        return Response(detour=Flow([*(one.flow for one in flows), *then({})], name="DFT"))
    reasons = _run_here(flows)
    return Response(detour=Flow(then(reasons), name="DFT"))


def _run_here(flows: Sequence[CalculationFlow]) -> dict[str, str]:
    database = open_database()
    folder = get_settings().calculations
    folder.mkdir(parents=True, exist_ok=True)
    reasons = {}
    for number, one in enumerate(flows, start=1):
        report(Stage.VALIDATION, number - 1, len(flows), one.flow.name)
        with _failures() as failures, _ended_with_us(folder), database.guard():
            run_locally(
                one.flow,
                log=False,
                store=database.job_store(),
                create_folders=True,
                root_dir=folder,
            )
        if failures:
            reasons[one.result] = failures[0]
    report(Stage.VALIDATION, len(flows), len(flows))
    return reasons


class _Listener(logging.Handler):
    """Keeps the last line of the traceback of each job that failed."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.found: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Look whether a job has failed."""
        text = record.getMessage()
        if "failed with exception" in text:
            name, last = text.split(" failed with", maxsplit=1)[0], text.strip().splitlines()[-1]
            self.found.append(f"{name}: {last}"[:300])


@contextmanager
def _failures() -> Iterator[list[str]]:
    """Listen to jobflow, which tells failures to its log only."""
    logger, listener = logging.getLogger(LOCAL_MANAGER), _Listener()
    level, propagate = logger.level, logger.propagate
    logger.addHandler(listener)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    try:
        yield listener.found
    finally:
        logger.removeHandler(listener)
        logger.setLevel(level)
        logger.propagate = propagate


@contextmanager
def _ended_with_us(folder: Path) -> Iterator[None]:
    """End VASP when this process is interrupted: custodian gives it a session of its own."""
    try:
        yield
    except BaseException:
        for child in psutil.Process().children(recursive=True):
            with suppress(psutil.Error):
                if Path(child.cwd()).is_relative_to(folder):
                    child.terminate()
        raise
