"""Two ways to the same result, measured in turns in one process, and what is reported of them."""

from __future__ import annotations

import gc
import os
import platform
import sys
import time
from dataclasses import asdict, dataclass, field
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from statistics import median
from typing import TYPE_CHECKING, Any, TypeVar

from screening import __version__

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence, Sized
    from types import ModuleType

A = TypeVar("A", bound="Sized")
B = TypeVar("B", bound="Sized")

LEAST_SECONDS = 0.2
"""A repeat runs at least this long: quick functions are called again within it."""


class MissingPeerError(Exception):
    """The package to compare with is not installed."""


class Timed(list[Any]):
    """Results of a call that was measured where it ran, in the process of a peer.

    Attributes
    ----------
    seconds
        Time of the call.
    """

    def __init__(self, results: Sequence[Any], seconds: float) -> None:
        super().__init__(results)
        self.seconds = seconds


@dataclass(frozen=True)
class Spread:
    """Median and range over the repeats."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Summarise the repeats."""
        return cls(median(values), min(values), max(values))


@dataclass(frozen=True)
class Row:
    """One comparison.

    Attributes
    ----------
    name
        What was done.
    unit
        What the rates count, per second.
    count
        Items in one call of this project.
    repeats
        Number of repeats, in which the two took turns.
    ours, peer
        Rates.
    ratio
        Our rate over the peer's, repeat by repeat: other work on the machine slows both.
    """

    name: str
    unit: str
    count: int
    repeats: int
    ours: Spread
    peer: Spread
    ratio: Spread


@dataclass(frozen=True)
class Check:
    """Whether the two results agree; a benchmark with a failed check has failed."""

    name: str
    passed: bool
    detail: str


@dataclass
class Report:
    """What a benchmark found.

    Attributes
    ----------
    title
        What was measured, in one line.
    peer
        What it was compared with; empty where there is no peer.
    rows, checks
        Rates, and whether results agree.
    figures
        Further numbers, by name.
    packages
        Packages whose versions matter besides those of `VERSIONS`.
    peer_versions
        Versions of packages that run in an environment of their own.
    """

    title: str
    peer: str = ""
    rows: list[Row] = field(default_factory=list)
    checks: list[Check] = field(default_factory=list)
    figures: dict[str, float | int | str] = field(default_factory=dict)
    packages: tuple[str, ...] = ()
    peer_versions: dict[str, str] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        """Whether all checks passed."""
        return all(check.passed for check in self.checks)

    def check(self, name: str, detail: str, *, passed: bool) -> None:
        """Add a check."""
        self.checks.append(Check(name, bool(passed), detail))

    def as_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        content = asdict(self)
        content["versions"] = versions(content.pop("packages")) | content.pop("peer_versions")
        return content | {"passed": self.passed}


def require(module: str) -> ModuleType:
    """Import a module of a peer.

    Raises
    ------
    MissingPeerError
        If its package is not installed.
    """
    package = module.partition(".")[0]
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != package:
            raise
        raise MissingPeerError(
            f"{package} is not installed: pip install 'crystal-screening[bench]'"
        ) from None


def race(
    name: str,
    unit: str,
    ours: Callable[[], A],
    peer: Callable[[], B],
    *,
    repeats: int,
    warm_up: bool = True,
) -> tuple[Row, A, B]:
    """Measure two functions in turns.

    Parameters
    ----------
    name, unit
        See `Row`.
    ours, peer
        What is called. Rates count the items of what is returned.
    repeats
        Number of turns.
    warm_up
        Call `ours` once before the clock starts, so that compiled code is there.

    Returns
    -------
    The rates, and what the two returned last.
    """
    if warm_up:
        ours()
    fast, slow = [], []
    for _ in range(repeats):
        rate, mine = _rate(ours)
        fast.append(rate)
        rate, theirs = _rate(peer)
        slow.append(rate)
    ratio = [a / b for a, b in zip(fast, slow, strict=True)]
    row = Row(name, unit, len(mine), repeats, Spread.of(fast), Spread.of(slow), Spread.of(ratio))
    return row, mine, theirs


def _rate(function: Callable[[], A]) -> tuple[float, A]:
    """Items per second over at least `LEAST_SECONDS`, and the last result."""
    gc.collect()  # what others left behind is not this function's time
    done, seconds = 0, 0.0
    while True:
        start = time.perf_counter()
        result = function()
        measured = time.perf_counter() - start
        done += len(result)
        seconds += result.seconds if isinstance(result, Timed) else measured
        if seconds >= LEAST_SECONDS:
            return done / seconds, result


VERSIONS = ("numpy", "numba", "pymatgen")
"""Packages whose versions are always reported."""


def versions(packages: Sequence[str]) -> dict[str, str]:
    """Versions of this project and of packages."""
    found = {"crystal-screening": __version__}
    for package in (*VERSIONS, *packages):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found


def machine() -> dict[str, Any]:
    """Describe the machine: what it is, and how busy it is with other work."""
    from llvmlite.binding import get_host_cpu_name  # type: ignore[import-untyped]

    cores = os.sched_getaffinity(0) if sys.platform == "linux" else range(os.cpu_count() or 1)
    return {
        "system": platform.platform(terse=True),
        "python": platform.python_version(),
        "processor": f"{platform.machine()} {get_host_cpu_name()}",
        "cores": len(cores),
        "threads": int(os.environ.get("OMP_NUM_THREADS", "0")),
        "load": [round(value, 2) for value in os.getloadavg()],
    }
