"""Measuring the symmetry model on formulas that it has not seen."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import BaseModel, ConfigDict

from screening.checkpoints.io import file_sha256
from screening.composition import CompositionArray
from screening.errors import InputError
from screening.symmetry.data import read_crystals, with_cells
from screening.symmetry.metrics import symmetry_metrics
from screening.symmetry.model import SymmetryModel
from screening.symmetry.plots import compound_map
from screening.training.data import unseen
from screening.training.request import parse_options, plain_metrics

if TYPE_CHECKING:
    from screening.training.request import EvaluateRequest


class EvaluateSymmetryOptions(BaseModel):
    """There are none yet."""

    model_config = ConfigDict(extra="forbid")


def evaluate_symmetry(request: EvaluateRequest) -> dict[str, Any]:
    """Measure a checkpoint on the crystals of a file whose formulas it has not seen.

    Returns
    -------
    The metrics of `symmetry_metrics`, with ``data_sha256``, ``checkpoint``, ``seed``, ``n_seen``
    (formulas left out because the model was trained on them) and ``rows_per_second``; if figures
    are asked for, ``plots`` has a `compound_map` of formulas of the file, seen or not.

    Raises
    ------
    InputError
        If the file cannot be used, or holds no formula that the model has not seen.
    """
    parse_options(EvaluateSymmetryOptions, request.options)
    if request.holdout != "formula":
        raise InputError(
            f"holdout={request.holdout!r}: symmetries of compositions are held out by 'formula'"
        )
    model = SymmetryModel.load(request.checkpoint or "symmetry")
    crystals = read_crystals([request.data])
    new = unseen(crystals["formula"].tolist(), model.seen_formulas)
    if not new.any():
        raise InputError(
            f"the model has seen all {len(new)} formulas of {request.data.name}: give other data"
        )
    chosen = np.flatnonzero(new)
    if request.sample is not None and request.sample < len(chosen):
        rng = np.random.default_rng(request.seed)
        chosen = np.sort(rng.permutation(chosen)[: request.sample])
    table = with_cells(crystals.iloc[chosen])
    start = time.perf_counter()
    model.predict(table.compositions())
    seconds = time.perf_counter() - start
    result = {
        **symmetry_metrics(model, table, seed=request.seed),
        "n_seen": int((~new).sum()),
        "rows_per_second": len(table) / seconds,
        "data_sha256": file_sha256(request.data),
        "checkpoint": model.ref.model_dump(),
        "seed": request.seed,
    }
    if request.plots:
        compositions = CompositionArray.from_formulas(crystals["formula"].tolist())
        result["plots"]["map"] = compound_map(model, compositions, seed=request.seed)
    plain: dict[str, Any] = plain_metrics(result)
    return plain
