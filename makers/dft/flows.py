"""A flow of DFT calculations of one structure: its jobs, and where their results will be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from jobflow import Flow, OnMissing

if TYPE_CHECKING:
    from typing import Self


@dataclass(frozen=True)
class CalculationFlow:
    """Jobs of atomate2, and where their results will be.

    Attributes
    ----------
    flow
        The jobs.
    result
        jobflow's uuid of the last document.
    runs
        Name of each calculation that is known now -> the uuid of its job.
    ready
        A reference to the last document, for jobs that must wait for it.
    """

    flow: Flow
    result: str
    runs: dict[str, str]
    ready: Any

    @classmethod
    def tolerant(
        cls, flow: Flow, result: str, runs: dict[str, str], ready: Any, label: str
    ) -> Self:
        """Let later jobs run, and end, without the results of one that failed.

        Otherwise what collects the results would wait for ever on FireWorks.
        """
        flow.update_config(
            {"on_missing_references": OnMissing.NONE}, attributes=["on_missing_references"]
        )
        flow.append_name(f"{label}: ", prepend=True)
        return cls(flow, result, runs, ready)
