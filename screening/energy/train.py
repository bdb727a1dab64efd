"""Training of the energy model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, field_validator

from screening.checkpoints import Card, save_checkpoint
from screening.energy.calibration import Calibration
from screening.energy.data import EnergyTable, read_energies
from screening.energy.ensembles import stack_shares, train_ensemble
from screening.energy.metrics import energy_metrics
from screening.energy.model import EnergyModel
from screening.energy.plots import energy_plots
from screening.errors import InputError
from screening.features import descriptor_names
from screening.identity import content_hash, derive_seed
from screening.schemas import CheckpointRef
from screening.training.curves import columns
from screening.training.data import fingerprints, held_out
from screening.training.environment import device_name, package_versions
from screening.training.options import LoopOptions
from screening.training.request import parse_options, plain_metrics
from screening.training.state import clear_states

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from screening.energy.ensembles import Kind
    from screening.training.options import FitResult
    from screening.training.request import TrainRequest

REFERENCES = [
    "10.1038/s41467-020-19964-7",
    "10.1103/PhysRevMaterials.4.123802",
    "10.1080/01621459.2017.1307116",
]
VERSION = "2"


class EnergyOptions(BaseModel):
    """Hyperparameters of the training."""

    model_config = ConfigDict(extra="forbid")

    references: str = Field("", description="Corrections of each file, separated by commas")
    members: int = Field(4, ge=1, description="Networks on descriptors in the ensemble")
    width: int = Field(352, ge=8, description="Width of the hidden layers")
    blocks: int = Field(2, ge=0, description="Residual blocks")
    dropout: float = Field(0.1, ge=0, lt=1, description="Dropout")
    epochs: int = Field(100, ge=1, description="Passes over the training formulas")
    batch_size: int = Field(512, ge=1, description="Formulas per step")
    learning_rate: float = Field(2e-3, gt=0, description="Peak of the one-cycle schedule")
    weight_decay: float = Field(1e-2, ge=0, description="Weight decay of AdamW")
    ema: float = Field(0.995, ge=0, lt=1, description="Decay of the averaged weights")
    roost_members: int = Field(2, ge=0, description="Roost networks in the ensemble")
    roost_size: int = Field(64, ge=2, description="Length of an element's vector")
    roost_layers: int = Field(3, ge=1, description="Message layers")
    roost_heads: int = Field(3, ge=1, description="Heads of each")
    roost_hidden: int = Field(96, ge=1, description="Hidden width of gates and messages")
    roost_head: tuple[int, ...] = Field((512, 256, 128), description="Widths of the output network")
    roost_epochs: int = Field(34, ge=1, description="Passes of a Roost network")
    roost_learning_rate: float = Field(2e-3, gt=0, description="Peak of its schedule")
    test_fraction: float = Field(0.1, gt=0, lt=0.9, description="Share of formulas held out")
    calibration_fraction: float = Field(
        0.05, gt=0, lt=0.5, description="Share of formulas for calibration"
    )

    @field_validator("roost_head", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        """Take ``512,256,128`` from the command line."""
        return value.split(",") if isinstance(value, str) else value

    def loops(self) -> dict[Kind, LoopOptions]:
        """Return the hyperparameters of the training of each ensemble that has members."""
        shared = {"batch_size", "epochs", "learning_rate", "weight_decay", "ema"}
        mlp = self.model_dump(include=shared)
        roost = mlp | {"epochs": self.roost_epochs, "learning_rate": self.roost_learning_rate}
        loops: dict[Kind, LoopOptions] = {"mlp": LoopOptions(**mlp)}
        return loops | ({"roost": LoopOptions(**roost)} if self.roost_members else {})


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
    sources = [request.source(path, n) for path, n in zip(request.data, table.rows, strict=True)]
    compositions, energies = table.compositions()[split.train], table.energies[split.train]
    arguments = _arguments(options, table, energies)
    key = content_hash([source.sha256 for source in sources], options.model_dump())
    tensors: dict[str, NDArray[Any]] = {}
    fits: dict[str, FitResult] = {}
    rest = table.compositions()[split.calibration], table.energies[split.calibration]
    for kind, loop in options.loops().items():
        weights, records = train_ensemble(
            kind,
            request,
            arguments,
            loop,
            compositions=compositions,
            energies=energies,
            watched=rest,
            key=key,
        )
        tensors |= weights
        fits |= records
    tensors["seen_formulas"] = fingerprints(
        [f for f, test in zip(table.formulas, split.test, strict=True) if not test]
    )
    tensors |= _calibrate(tensors, arguments, table, split.calibration, request.out)
    model = EnergyModel(arguments, tensors, _draft_ref(request.out))
    metrics, plots = _measure(model, table, split.test, request.seed)
    card = Card(
        name=request.out.name,
        version=VERSION,
        model="screening.energy.model:EnergyModel",
        description="Formation energy of a composition: networks on descriptors and Roost, stacked",
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
        metrics=metrics,
        plots=plots,
        history={name: columns(fit.history) for name, fit in fits.items()},
        seed=request.seed,
        wall_time=sum(fit.wall_time for fit in fits.values()),
        device=device_name(request.device),
        packages=package_versions("numpy", "torch"),
        references=REFERENCES,
    )
    card = save_checkpoint(request.out, tensors, card)
    clear_states(request)
    return card


def _arguments(
    options: EnergyOptions, table: EnergyTable, energies: NDArray[np.float32]
) -> dict[str, Any]:
    """Arguments of `EnergyModel`; energies are standardised with the training part's."""
    if not len(energies):
        raise InputError("no formula is left to train on: give more data or smaller fractions")
    return {
        "network": {
            "n_inputs": len(descriptor_names()),
            "width": options.width,
            "blocks": options.blocks,
            "dropout": options.dropout,
        },
        "members": options.members,
        "roost": {
            "size": options.roost_size,
            "layers": options.roost_layers,
            "heads": options.roost_heads,
            "hidden": options.roost_hidden,
            "head": options.roost_head,
        },
        "roost_members": options.roost_members,
        "references": list(table.references),
        "energy_mean": float(np.nanmean(energies)),
        "energy_scale": float(np.nanstd(energies)) or 1.0,
    }


def _draft_ref(out: Path) -> CheckpointRef:
    """Refer to a checkpoint that is not written yet."""
    return CheckpointRef(name=out.name, version=VERSION, sha256="")


def _calibrate(
    tensors: dict[str, NDArray[Any]],
    arguments: dict[str, Any],
    table: EnergyTable,
    chosen: NDArray[np.bool_],
    out: Path,
) -> dict[str, NDArray[np.float32]]:
    """Fit stack ``(r,)`` and calibrations ``(r, 3)``, with the weights as they are stored."""
    n_references = len(table.references)
    plain = np.tile(np.array([1, -1, 1], dtype=np.float32), (n_references, 1))
    fitted = {
        "stack": np.zeros(n_references, dtype=np.float32),
        "calibration": plain,
        "calibration_fast": plain,
    }
    compositions, truth = table.compositions()[chosen], table.energies[chosen]
    parts = EnergyModel(arguments, tensors | fitted, _draft_ref(out)).by_ensemble(compositions)
    if len(parts) > 1:
        fitted["stack"] = stack_shares(parts["mlp"][0], parts["roost"][0], truth)
    model = EnergyModel(arguments, tensors | fitted, _draft_ref(out))
    for name, fast in (("calibration", False), ("calibration_fast", True)):
        mean, spread = model.raw(compositions, fast=fast)
        rows = []
        for k in range(n_references):
            known = np.isfinite(truth[:, k])
            errors = truth[known, k] - mean[known, k]
            rows.append(Calibration.fit(errors, spread[known, k]).array())
        fitted[name] = np.stack(rows)
    return fitted


def _measure(
    model: EnergyModel, table: EnergyTable, test: NDArray[np.bool_], seed: int
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Metrics and numbers for figures, on the held-out formulas, for each reference."""
    compositions, truth = table.compositions()[test], table.energies[test]
    formulas = np.array(table.formulas)[test]
    metrics, plots = {}, {}
    for k, name in enumerate(table.references):
        known = np.flatnonzero(np.isfinite(truth[:, k]))
        for label, fast in ((name, False), (f"{name} (fast)", True)):
            prediction = model.predict(compositions[known], reference=name, fast=fast)
            metrics[label] = energy_metrics(prediction, truth[known, k], seed=seed)
            if not fast:
                labels = formulas[known].tolist()
                plots[name] = energy_plots(prediction, truth[known, k], labels, seed=seed)
    return plain_metrics(metrics), plots
