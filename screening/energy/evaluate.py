"""Measuring the energy model on formulas that it has not seen."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from screening.checkpoints.io import file_sha256
from screening.composition import CompositionArray
from screening.energy.data import read_rows
from screening.energy.metrics import energy_metrics
from screening.energy.model import EnergyModel
from screening.energy.plots import energy_plots
from screening.errors import InputError
from screening.training.data import unseen
from screening.training.request import parse_options, plain_metrics

if TYPE_CHECKING:
    import pandas as pd

    from screening.training.request import EvaluateRequest


class EvaluateEnergyOptions(BaseModel):
    """Options of the measurement."""

    model_config = ConfigDict(extra="forbid")

    reference: str | None = Field(
        None, description="Corrections that the file follows; None chooses the closest"
    )
    fast: bool = Field(False, description="Measure the networks on descriptors alone")
    polymorphs: bool = Field(False, description="Measure every row, not the lowest of each formula")


def evaluate_energy(request: EvaluateRequest) -> dict[str, Any]:
    """Measure a checkpoint on the formulas of a file that it has not seen.

    The file needs the columns ``formula`` and ``formation_energy_per_atom`` (eV/atom). If no
    reference is named, it is the one of the model's sets of corrections with the lowest median
    error; ``mae_by_reference`` gives all.

    Returns
    -------
    The metrics of `energy_metrics`, with ``data_sha256``, ``checkpoint``, ``seed``, ``reference``,
    ``n_seen`` (formulas left out because the model was trained or calibrated on them),
    ``rows_per_second`` and ``plots``: `energy_plots` under the name of the reference.

    Raises
    ------
    InputError
        If the file cannot be used, or holds no formula that the model has not seen.
    """
    options = parse_options(EvaluateEnergyOptions, request.options)
    if request.holdout != "formula":
        raise InputError(
            f"holdout={request.holdout!r}: energies of compositions are held out by 'formula'"
        )
    model = EnergyModel.load(request.checkpoint or "energy")
    rows = read_rows(request.data)
    if not options.polymorphs:
        rows = rows.groupby("formula", sort=True)[["energy"]].min().reset_index()
    new = unseen(rows["formula"].tolist(), model.seen_formulas)
    if not new.any():
        raise InputError(
            f"the model has seen all {len(rows)} formulas of {request.data.name}: give other data"
        )
    chosen = _sample(rows[new], request)
    truth = chosen["energy"].to_numpy()
    compositions = CompositionArray.from_formulas(chosen["formula"].tolist())
    start = time.perf_counter()
    mean, _ = model.raw(compositions, fast=options.fast)
    seconds = time.perf_counter() - start
    errors = np.abs(mean - truth[:, None])
    closest = model.references[int(np.median(errors, axis=0).argmin())]
    reference = options.reference or closest
    prediction = model.predict(compositions, reference=reference, fast=options.fast)
    result = {
        **energy_metrics(prediction, truth, seed=request.seed),
        "reference": reference,
        "mae_by_reference": dict(zip(model.references, errors.mean(axis=0), strict=True)),
        "n_seen": int((~new).sum()),
        "rows_per_second": len(truth) / seconds,
        "data_sha256": file_sha256(request.data),
        "checkpoint": model.ref.model_dump(),
        "seed": request.seed,
        "plots": {
            reference: energy_plots(
                prediction, truth, chosen["formula"].tolist(), seed=request.seed
            )
        },
    }
    plain: dict[str, Any] = plain_metrics(result)
    return plain


def _sample(rows: pd.DataFrame, request: EvaluateRequest) -> pd.DataFrame:
    """Keep at most `request.sample` rows, chosen by the seed."""
    if request.sample is None or request.sample >= len(rows):
        return rows
    keep = np.random.default_rng(request.seed).permutation(len(rows))[: request.sample]
    return rows.iloc[np.sort(keep)]
