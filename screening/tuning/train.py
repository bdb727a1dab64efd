"""``screening train potential``: tune a published potential towards a database's energies."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from screening.checkpoints import Card, DataSource, save_checkpoint
from screening.engines.nequix import NequixEngine
from screening.engines.nequix_file import read_nqx
from screening.engines.potentials import file_hash, installed_file, potential
from screening.errors import InputError
from screening.training.data import fingerprints
from screening.training.environment import device_name, package_versions
from screening.training.loop import LoopOptions, fit
from screening.training.request import parse_options, plain_metrics
from screening.training.state import clear_states, state_folder
from screening.tuning.data import STAGE, TuningData, collect
from screening.tuning.loss import TunedNetwork, tuning_loss
from screening.tuning.measure import choose_share, measure
from screening.tuning.options import PotentialOptions

if TYPE_CHECKING:
    from pathlib import Path

    import torch
    from numpy.typing import NDArray

    from screening.training.loop import FitResult
    from screening.training.request import TrainRequest

VERSION = "1"
REFERENCES = [
    "arXiv:2508.16067",
    "arXiv:2601.07742",
    "10.1038/s41524-024-01500-6",
    "10.1109/CVPR52688.2022.00780",
]


def train_potential(request: TrainRequest) -> Card:
    """Tune a potential, measure it beside its origin on held-out formulas, and save it.

    The tuned energies keep the zero of the origin: an energy scale fitted to them turns them into
    formation energies. What was trained is kept: ``--resume`` goes on where it was stopped.

    Raises
    ------
    InputError
        If the data or the options cannot be used.
    EngineError
        If the weights of the start are not here.
    """
    options = parse_options(PotentialOptions, request.options)
    if len(request.data) != 1:
        raise InputError(f"a potential is tuned on one file, not on {len(request.data)}")
    started = time.perf_counter()
    state = state_folder(request)
    path = installed_file(options.start)
    config, arrays = read_nqx(path)
    start = TunedNetwork(config, arrays)
    origin = NequixEngine(options.start, config, arrays)
    data = collect(request.data[0], options, origin, start, request.seed)
    model = TunedNetwork(config, arrays)
    result = _fit(model, data, options, request, state)
    share, tuned = choose_share(start, model, data.validation)
    card = Card(
        name=request.out.name,
        version=VERSION,
        model="screening.engines.nequix:NequixEngine",
        description=f"{options.start}, tuned towards the energies of {request.data[0].name}",
        arguments={"config": asdict(config), "origin": options.start},
        hyperparameters=options.model_dump()
        | {"steps": result.epochs * _steps(data, options), "share": share},
        data=[
            request.source(request.data[0], data.n_labelled),
            _origin_source(path, options.start),
        ],
        split=_split(data, options, request.seed),
        metrics=plain_metrics(measure(start, tuned, data, request.seed)),
        seed=request.seed,
        wall_time=time.perf_counter() - started,
        device=device_name(request.device),
        packages=package_versions("numpy", "torch"),
        references=REFERENCES,
    )
    tensors: dict[str, NDArray[Any]] = {
        **tuned.arrays(),
        "seen_formulas": fingerprints(data.formulas),
    }
    card = save_checkpoint(request.out, tensors, card)
    clear_states(request)
    return card


def _split(data: TuningData, options: PotentialOptions, seed: int) -> dict[str, Any]:
    """Say how crystals were held out."""
    return {
        "by": "reduced formula",
        "test_fraction": options.test_fraction,
        "seed": seed,
        "n_train": data.n_labelled,
        "n_replay": len(data.train) - data.n_labelled,
        "n_terms": len(data.reference),
        "n_validation": len(data.validation),
        "n_test": len(data.known),
    }


def _origin_source(path: Path, name: str) -> DataSource:
    """Name the weights that training started from, with their licence, as data of the card."""
    entry = potential(name)
    return DataSource(
        name=path.name,
        sha256=file_hash(path),
        rows=1,
        origin=f"weights that training started from: {entry.url} ({', '.join(entry.references)})",
        licence=entry.licence,
    )


def _steps(data: TuningData, options: PotentialOptions) -> int:
    """Count the steps of an epoch."""
    return max(1, len(data.train) // min(options.batch_size, len(data.train)))


def _fit(
    model: TunedNetwork,
    data: TuningData,
    options: PotentialOptions,
    request: TrainRequest,
    state: Path,
) -> FitResult:
    loop = LoopOptions(
        epochs=options.epochs,
        batch_size=options.batch_size,
        learning_rate=options.learning_rate,
        weight_decay=0.0,
        schedule="cosine",
        warmup=0.05,
        ema=options.ema or None,
        state_every=30.0,
    )

    def loss(network: torch.nn.Module, rows: torch.Tensor) -> torch.Tensor:
        if not isinstance(network, TunedNetwork):
            raise TypeError(type(network))
        return tuning_loss(network, data.train, rows.numpy().astype(np.int64), options.force_weight)

    return fit(
        model,
        loss,
        len(data.train),
        loop,
        seed=request.seed,
        state=state / "training.safetensors",
        key=str(options.model_dump()),
        label=STAGE,
    )
