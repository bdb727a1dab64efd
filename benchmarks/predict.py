"""How long `screening predict FORMULA --no-relax` takes in a process that has done it before."""

from __future__ import annotations

import os
import tempfile
import time
from contextlib import contextmanager
from statistics import median
from typing import TYPE_CHECKING

from benchmarks.harness import Report
from benchmarks.inputs import matgan
from benchmarks.resume import without_settings

if TYPE_CHECKING:
    from collections.abc import Iterator

TOP = 20
"""Candidates that are kept, and proposals of each method."""
WARM_UP = 2
MAX_SECONDS = 1.0
"""What one formula may take, in seconds of the processor, database server excluded."""


def run(items: int, seed: int, repeats: int) -> Report:  # noqa: ARG001 - as of all benchmarks
    """Predict the crystals of `items` formulas, with prototypes only and with all methods."""
    from screening.structure import generator_names

    names = generator_names()
    report = Report(
        f"Predictions of {TOP} candidates, from the formula to documents in the database, "
        f"relaxations left out; methods: {', '.join(names)}"
    )
    formulas = matgan(items + WARM_UP, seed, max_atoms=10).formulas()
    for label, methods in (("prototypes only", ["prototypes"]), ("all methods", names)):
        with _own_database():
            _measure(report, label, formulas, dict.fromkeys(methods, TOP), seed)
    return report


@contextmanager
def _own_database() -> Iterator[None]:
    """Use an empty database inside the block."""
    from db_config import reset_settings
    from stores import close_database

    with tempfile.TemporaryDirectory() as folder, without_settings():
        os.environ["SCREENING_DATA_DIR"] = folder
        reset_settings()
        try:
            yield
        finally:
            close_database()
            del os.environ["SCREENING_DATA_DIR"]
    reset_settings()


def _measure(
    report: Report, label: str, formulas: list[str], methods: dict[str, int], seed: int
) -> None:
    """Predict formula by formula; the first ones are not counted."""
    from flows.predict import predict, prediction_campaign
    from stores import open_database

    wall, processor, found = [], [], []
    database = open_database()
    for formula in formulas:
        start, used = time.perf_counter(), time.process_time()
        campaign = prediction_campaign(
            formula, methods=methods, top=TOP, until="structure", seed=seed
        )
        found.append(len(predict(database, campaign)))
        wall.append(time.perf_counter() - start)
        processor.append(time.process_time() - used)
    wall, processor, found = wall[WARM_UP:], processor[WARM_UP:], found[WARM_UP:]
    report.figures |= {
        f"{label}, seconds per formula, median": median(wall),
        f"{label}, seconds per formula, longest": max(wall),
        f"{label}, processor seconds per formula, median": median(processor),
        f"{label}, candidates per formula, median": float(median(found)),
    }
    report.check(
        f"{label}, processor seconds per formula",
        f"{median(processor):.2f} (at most {MAX_SECONDS})",
        passed=median(processor) <= MAX_SECONDS,
    )
