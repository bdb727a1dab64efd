"""``screening evaluate references``: the hull of the table beside that of another source."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np

from screening.checkpoints.io import file_sha256
from screening.errors import InputError
from screening.metrics.intervals import bootstrap_interval
from screening.references.diagram import place_compositions
from screening.references.table import BUNDLED, reference_table
from screening.training.data import canonical_formulas, read_table
from screening.training.request import plain_metrics

if TYPE_CHECKING:
    from screening.training.request import EvaluateRequest

COLUMNS = ("formula", "e_above_hull")
ON_HULL = 1e-3
"""Largest distance (eV/atom) of a compound that counts as on the hull."""


def evaluate_references(request: EvaluateRequest) -> dict[str, Any]:
    """Compare the distance of each known compound with the lowest of its formula in a file.

    Only formulas that the table lists are compared. ``completeness`` is the share of the file's
    formulas that it lists.

    Raises
    ------
    InputError
        If the file lacks a column, or the table lists none of its formulas.
    """
    table = reference_table(request.checkpoint or BUNDLED)
    rows = read_table(request.data, COLUMNS)
    rows = rows[np.isfinite(rows["e_above_hull"])]
    rows = rows.assign(formula=canonical_formulas(rows["formula"].tolist()))
    truth_by_formula = rows.groupby("formula")["e_above_hull"].min()
    listed = truth_by_formula[[table.knows(str(name)) for name in truth_by_formula.index]]
    if listed.empty:
        raise InputError(f"{request.data} has no formula that {table.ref.name!r} lists")
    if request.sample is not None and request.sample < len(listed):
        listed = listed.sample(n=request.sample, random_state=request.seed)
    started = time.perf_counter()
    placed = place_compositions(table, [str(name) for name in listed.index])
    seconds = time.perf_counter() - started
    distance = np.array([placement.known_above_hull for placement in placed], dtype=np.float64)
    truth = listed.to_numpy(dtype=np.float64)
    errors = np.abs(distance - truth)
    stable, called = truth <= ON_HULL, distance <= ON_HULL
    metrics = {
        "n": len(truth),
        "completeness": float(np.mean([table.knows(str(n)) for n in truth_by_formula.index])),
        "mae": float(errors.mean()),
        "mae_interval": bootstrap_interval(errors, seed=request.seed),
        "median": float(np.median(errors)),
        "bias": float((distance - truth).mean()),
        "on_hull": {
            "prevalence": float(stable.mean()),
            "precision": float((stable & called).sum() / max(called.sum(), 1)),
            "recall": float((stable & called).sum() / max(stable.sum(), 1)),
        },
        "milliseconds_per_composition": 1e3 * seconds / len(truth),
        "data_sha256": file_sha256(request.data),
        "checkpoint": table.ref.model_dump(),
        "seed": request.seed,
    }
    result: dict[str, Any] = plain_metrics(metrics)
    return result
