"""Potentials side by side: time of an evaluation and, on files of DFT labels, their errors."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.harness import Report, Spread
from screening.engines import Crystal, Engine, engine_names, make_engine
from screening.engines.registry import JUDGES
from screening.engines.threads import one_thread
from screening.errors import EngineError, InputError
from screening.training.registry import evaluate
from screening.training.request import EvaluateRequest

FILES_VARIABLE = "SCREENING_BENCHMARK_FILES"
"""Files of labelled crystals, separated by colons, see `screening evaluate potential`."""
BATCH = 64
CATIONS, ANIONS = (3, 11, 12, 20, 25, 28, 30, 38), (7, 8, 16, 17, 34)
EDGE = 4.9
"""Mean edge of the cubic cells (Angstrom)."""
SHOWN = ("mae", "bias", "median", "coverage", "imaginary", "bulk_median", "shear_median", "n")


def run(items: int, seed: int, repeats: int) -> Report:
    """Time a batch of crystals of 8 atoms with every engine that is here; measure labelled files.

    Parameters
    ----------
    items
        Crystals of each file that are measured; the batch that is timed has 64.
    seed
        Seed of the crystals and of the samples.
    repeats
        Times that the batch is evaluated.
    """
    report = Report(
        f"Energy, forces and stress of {BATCH} crystals of 8 atoms in a batch, one thread; "
        f"errors on {items} crystals of each file in {FILES_VARIABLE}",
        packages=("torch", "chgnet", "sevenn"),
    )
    engines = available()
    crystals = rock_salts(BATCH, seed)
    with one_thread():
        for name, engine in engines.items():
            times = Spread.of([milliseconds(engine, crystals) for _ in range(repeats)])
            report.figures[f"{name}, ms of an evaluation"] = round(times.median, 2)
    files = [Path(name) for name in os.environ.get(FILES_VARIABLE, "").split(":") if name]
    for path in files:
        for name, key, value in errors(path, list(engines), items, seed):
            report.figures[f"{path.name}: {name}, {key}"] = value
    report.check(
        "every engine gives finite energies",
        ", ".join(engines),
        passed=all(finite(engine, crystals) for engine in engines.values()),
    )
    return report


def available() -> dict[str, Engine]:
    """Make all potentials that are here; classical ones of ASE are no peers."""
    engines = {}
    for name in dict.fromkeys([*JUDGES, *engine_names()]):
        if name in {"emt", "lj"}:
            continue
        try:
            engines[name] = make_engine(name)
        except (EngineError, InputError):  # not installed: there is nothing to measure
            continue
    return engines


def rock_salts(n: int, seed: int) -> list[Crystal]:
    """Make rattled rock salts of 8 atoms of random elements."""
    rng = np.random.default_rng(seed)
    sites = np.array(
        [[0, 0, 0], [0, 1, 1], [1, 0, 1], [1, 1, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 1]]
    )
    crystals = []
    for _ in range(n):
        edge = EDGE * rng.uniform(0.95, 1.1)
        numbers = np.repeat([rng.choice(CATIONS), rng.choice(ANIONS)], 4)
        positions = sites * edge / 2 + rng.normal(0, 0.05, (8, 3))
        crystals.append(Crystal(numbers, np.eye(3) * edge, positions))
    return crystals


def milliseconds(engine: Engine, crystals: list[Crystal]) -> float:
    """Time of the processor for one evaluation (ms), neighbour lists known as in a relaxation."""
    engine.evaluate(crystals)
    started = time.process_time()
    engine.evaluate(crystals)
    return 1000 * (time.process_time() - started) / len(crystals)


def finite(engine: Engine, crystals: list[Crystal]) -> bool:
    """Tell whether all energies are numbers."""
    return bool(np.isfinite([result.energy for result in engine.evaluate(crystals)]).all())


def errors(path: Path, engines: list[str], sample: int, seed: int) -> list[tuple[str, str, float]]:
    """Measure engines on one file of labelled crystals."""
    options = {"engine": ",".join(engines)}
    metrics: dict[str, Any] = evaluate(
        "potential", EvaluateRequest(path, sample=sample, seed=seed, options=options)
    )
    return [
        (name, f"{kind}.{key}", values[key])
        for name in engines
        for kind, values in metrics[name].items()
        if isinstance(values, dict)
        for key in SHOWN
        if values.get(key) is not None
    ]
