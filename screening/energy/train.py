"""Training of the energy model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from screening.checkpoints import Card, save_checkpoint
from screening.energy.calibration import Calibration
from screening.energy.data import EnergyTable, read_energies
from screening.energy.metrics import energy_metrics
from screening.energy.model import EnergyModel
from screening.errors import InputError
from screening.features import descriptors
from screening.identity import content_hash, derive_seed
from screening.schemas import CheckpointRef
from screening.training.data import describe, fingerprints, held_out
from screening.training.environment import device_name, package_versions
from screening.training.request import parse_options, plain_metrics
from screening.training.state import clear_states, state_folder

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from screening.training.loop import FitResult
    from screening.training.request import TrainRequest

REFERENCES = [
    "10.1038/s41467-020-19964-7",
    "10.1103/PhysRevMaterials.4.123802",
    "10.1080/01621459.2017.1307116",
]
VERSION = "1"


class EnergyOptions(BaseModel):
    """Hyperparameters of the training."""

    model_config = ConfigDict(extra="forbid")

    references: str = Field("", description="Corrections of each file, separated by commas")
    members: int = Field(4, ge=1, description="Networks in the ensemble")
    width: int = Field(384, ge=8, description="Width of the hidden layers")
    blocks: int = Field(2, ge=0, description="Residual blocks")
    dropout: float = Field(0.1, ge=0, lt=1, description="Dropout")
    epochs: int = Field(100, ge=1, description="Passes over the training formulas")
    batch_size: int = Field(512, ge=1, description="Formulas per step")
    learning_rate: float = Field(2e-3, gt=0, description="Peak of the one-cycle schedule")
    weight_decay: float = Field(1e-2, ge=0, description="Weight decay of AdamW")
    ema: float = Field(0.995, ge=0, lt=1, description="Decay of the averaged weights")
    test_fraction: float = Field(0.1, gt=0, lt=0.9, description="Share of formulas held out")
    calibration_fraction: float = Field(
        0.05, gt=0, lt=0.5, description="Share of formulas for calibration"
    )


@dataclass(frozen=True)
class Split:
    """Masks over the formulas, each ``(n,)``: disjoint, together everything."""

    train: NDArray[np.bool_]
    calibration: NDArray[np.bool_]
    test: NDArray[np.bool_]


def split_formulas(table: EnergyTable, options: EnergyOptions, seed: int) -> Split:
    """Split by formula: the test part is the same for every model that is trained with `seed`."""
    test = held_out(table.formulas, fraction=options.test_fraction, seed=seed)
    inner = derive_seed("calibration", seed)
    calibration = held_out(table.formulas, fraction=options.calibration_fraction, seed=inner)
    calibration &= ~test
    return Split(~(test | calibration), calibration, test)


def train_energy(request: TrainRequest) -> Card:
    """Train the ensemble, calibrate it, measure it on held-out formulas and save the checkpoint.

    Raises
    ------
    InputError
        If the data or the options cannot be used.
    """
    options = parse_options(EnergyOptions, request.options)
    table = read_energies(request.data, options.references)
    split = split_formulas(table, options, request.seed)
    sources = [describe(path, n) for path, n in zip(request.data, table.rows, strict=True)]
    inputs = descriptors(table.compositions())
    energies = table.energies[split.train]
    arguments = _arguments(options, table, energies, inputs.shape[1])
    key = content_hash([source.sha256 for source in sources], options.model_dump())
    tensors, fits = _train_members(
        request, arguments, options, inputs=inputs[split.train], energies=energies, key=key
    )
    tensors["seen_formulas"] = fingerprints(
        [f for f, test in zip(table.formulas, split.test, strict=True) if not test]
    )
    tensors["calibration"] = _calibrate(tensors, arguments, table, split.calibration, request.out)
    model = EnergyModel(arguments, tensors, _draft_ref(request.out))
    card = Card(
        name=request.out.name,
        version=VERSION,
        model="screening.energy.model:EnergyModel",
        description="Formation energy of a composition: ensemble of networks on descriptors",
        arguments=arguments,
        hyperparameters=options.model_dump(),
        data=sources,
        split={
            "by": "reduced formula, lowest energy of each",
            "test_fraction": options.test_fraction,
            "calibration_fraction": options.calibration_fraction,
            "seed": request.seed,
            "n_train": int(split.train.sum()),
            "n_calibration": int(split.calibration.sum()),
            "n_test": int(split.test.sum()),
        },
        metrics=_measure(model, table, split.test, request.seed),
        seed=request.seed,
        wall_time=sum(fit.wall_time for fit in fits),
        device=device_name(request.device),
        packages=package_versions("numpy", "torch"),
        references=REFERENCES,
    )
    card = save_checkpoint(request.out, tensors, card)
    clear_states(request)
    return card


def _arguments(
    options: EnergyOptions, table: EnergyTable, energies: NDArray[np.float32], n_inputs: int
) -> dict[str, Any]:
    """Arguments of `EnergyModel`; energies are standardised with the training part's."""
    if not len(energies):
        raise InputError("no formula is left to train on: give more data or smaller fractions")
    return {
        "network": {
            "n_inputs": n_inputs,
            "width": options.width,
            "blocks": options.blocks,
            "dropout": options.dropout,
        },
        "members": options.members,
        "references": list(table.references),
        "energy_mean": float(np.nanmean(energies)),
        "energy_scale": float(np.nanstd(energies)) or 1.0,
    }


def _train_members(
    request: TrainRequest,
    arguments: dict[str, Any],
    options: EnergyOptions,
    *,
    inputs: NDArray[np.float32],
    energies: NDArray[np.float32],
    key: str,
) -> tuple[dict[str, NDArray[Any]], list[FitResult]]:
    """Train each member from its own seed; returns the weights and the training records."""
    import torch

    from screening.energy.network import EnergyNetwork, robust_l1
    from screening.features.network import export
    from screening.training.loop import LoopOptions, fit, seeded

    target = (energies - arguments["energy_mean"]) / arguments["energy_scale"]
    x = torch.from_numpy(inputs).to(request.device)
    y = torch.from_numpy(target.astype(np.float32)).to(request.device)
    shared = {"batch_size", "epochs", "learning_rate", "weight_decay", "ema"}
    loop = LoopOptions(**options.model_dump(include=shared))

    def loss(network: torch.nn.Module, rows: torch.Tensor) -> torch.Tensor:
        mean, log_sigma = network(x[rows])
        return robust_l1(mean, log_sigma, y[rows])

    tensors: dict[str, NDArray[Any]] = {}
    fits = []
    states = state_folder(request)
    for i in range(options.members):
        seed = derive_seed("energy member", request.seed, i)
        with seeded(seed):
            network = EnergyNetwork(**arguments["network"], n_references=energies.shape[1])
        network.trunk.standardise(inputs)
        network.to(request.device)
        state, label = states / f"member-{i}.safetensors", f"energy {i + 1}/{options.members}"
        fits.append(fit(network, loss, len(x), loop, seed=seed, state=state, key=key, label=label))
        tensors |= export(network, f"mlp.{i}.")
    return tensors, fits


def _draft_ref(out: Path) -> CheckpointRef:
    """Refer to a checkpoint that is not written yet."""
    return CheckpointRef(name=out.name, version=VERSION, sha256="")


def _calibrate(
    tensors: dict[str, NDArray[Any]],
    arguments: dict[str, Any],
    table: EnergyTable,
    chosen: NDArray[np.bool_],
    out: Path,
) -> NDArray[np.float32]:
    """Fit the calibration of each reference, with the weights as they are stored; ``(r, 3)``."""
    plain = np.tile(np.array([1, -1, 1], dtype=np.float32), (len(table.references), 1))
    model = EnergyModel(arguments, tensors | {"calibration": plain}, _draft_ref(out))
    mean, spread = model.raw(table.compositions()[chosen])
    truth = table.energies[chosen]
    rows = []
    for k in range(len(table.references)):
        known = np.isfinite(truth[:, k])
        errors = truth[known, k] - mean[known, k]
        rows.append(Calibration.fit(errors, spread[known, k]).array())
    return np.stack(rows)


def _measure(
    model: EnergyModel, table: EnergyTable, test: NDArray[np.bool_], seed: int
) -> dict[str, Any]:
    """Metrics on the held-out formulas, for each reference."""
    compositions, truth = table.compositions()[test], table.energies[test]
    metrics = {}
    for k, name in enumerate(table.references):
        known = np.flatnonzero(np.isfinite(truth[:, k]))
        prediction = model.predict(compositions[known], reference=name)
        metrics[name] = energy_metrics(prediction, truth[known, k], seed=seed)
    plain: dict[str, Any] = plain_metrics(metrics)
    return plain
