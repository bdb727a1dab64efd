"""``screening train stability-data`` and ``stability-judge``: what the model learns from."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

import screening
from screening.checkpoints.card import Card
from screening.checkpoints.io import file_sha256
from screening.energy.model import EnergyModel
from screening.engines import engine_id
from screening.errors import InputError
from screening.evaluation.stability.judge import judge_file
from screening.evaluation.stability.search import FormulaSearch, SearchOptions, search_formulas
from screening.evaluation.stability.train import read_distances
from screening.training.data import held_out, unseen
from screening.training.environment import package_versions
from screening.training.request import parse_options

if TYPE_CHECKING:
    from screening.training.request import TrainRequest

RECORDS, JUDGE = "records.jsonl", "judge.jsonl"


class SearchDataOptions(BaseModel):
    """Options of ``screening train stability-data``."""

    model_config = ConfigDict(extra="forbid")

    formulas: int = Field(1500, ge=1, description="Number of formulas that are searched")
    proposals: int = Field(5, ge=1, description="Structures that are relaxed of each")
    max_steps: int = Field(100, ge=1, description="Maximum number of evaluations of a structure")
    engine: str = Field("chgnet", description="Potential of the relaxations")
    held_fraction: float = Field(0.1, gt=0, lt=1, description="As in `stability`")
    held_seed: int = Field(0, ge=0, description="As in `stability`")


class JudgeOptions(BaseModel):
    """Options of ``screening train stability-judge``."""

    model_config = ConfigDict(extra="forbid")

    engine: str = Field("nequix-oam-1-pft", description="Potential of the single points")


def train_stability_data(request: TrainRequest) -> Card:
    """Search formulas that the composition model has not seen, in natural proportions.

    ``records.jsonl`` grows by one line for each formula, and a later call goes on where it ends.

    Raises
    ------
    InputError
        If an option or the file is wrong, or all formulas are known to the composition model.
    """
    started = time.monotonic()
    options = parse_options(SearchDataOptions, request.options)
    formulas = sorted(read_distances(request.data[0]))
    new = unseen(formulas, EnergyModel.load().seen_formulas)
    new &= held_out(formulas, fraction=options.held_fraction, seed=options.held_seed)
    names = np.array(formulas, dtype=object)[new]
    if not len(names):
        raise InputError(f"{request.data[0]}: the composition model has seen all of its formulas")
    order = np.random.default_rng(request.seed).permutation(len(names))[: options.formulas]
    search = FormulaSearch(
        SearchOptions(
            proposals=options.proposals, max_steps=options.max_steps, engine=options.engine
        )
    )
    n = search_formulas(names[order].tolist(), request.out / RECORDS, search)
    return _card(
        request,
        options,
        n,
        RECORDS,
        engine=engine_id(options.engine),
        seconds=time.monotonic() - started,
    )


def train_stability_judge(request: TrainRequest) -> Card:
    """Compute single points of a second potential on the lowest crystals of searched formulas.

    The file of the request is ``records.jsonl``; ``judge.jsonl`` grows by one line for each
    formula, and a later call goes on where it ends.
    """
    started = time.monotonic()
    options = parse_options(JudgeOptions, request.options)
    out = request.out / JUDGE
    done = judge_file(request.data[0], out, options.engine, request.device)
    source = engine_id(options.engine)
    return _card(
        request, options, len(done), JUDGE, engine=source, seconds=time.monotonic() - started
    )


def _card(
    request: TrainRequest, options: Any, n: int, name: str, *, engine: str, seconds: float
) -> Card:
    """Describe the file; it is data, not a model, so that nothing else is written."""
    path = Path(request.out) / name
    return Card(
        name=request.out.name,
        version=screening.__version__,
        model="",
        description=f"{name}: searched formulas with energies of a potential",
        arguments={"engine": engine},
        hyperparameters=options.model_dump(),
        data=[],
        split={},
        metrics={"formulas": n},
        seed=request.seed,
        wall_time=seconds,
        device=request.device,
        packages=package_versions("numpy", "torch", "chgnet"),
        references=[],
        sha256=file_sha256(path),
    )
