"""Training of the symmetry model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from screening.checkpoints import Card, save_checkpoint
from screening.errors import InputError
from screening.features import descriptors
from screening.identity import content_hash, derive_seed
from screening.schemas import CheckpointRef
from screening.symmetry.data import read_crystals, with_cells
from screening.symmetry.metrics import symmetry_metrics
from screening.symmetry.model import SymmetryModel
from screening.training.data import describe, fingerprints, held_out
from screening.training.environment import device_name, package_versions
from screening.training.request import parse_options, plain_metrics
from screening.training.state import clear_states, state_folder

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import torch
    from numpy.typing import NDArray

    from screening.symmetry.data import SymmetryTable
    from screening.training.loop import FitResult
    from screening.training.options import LoopOptions
    from screening.training.request import TrainRequest

REFERENCES = ["10.1103/PhysRevMaterials.4.123802"]
VERSION = "1"


class SymmetryOptions(BaseModel):
    """Hyperparameters of the training."""

    model_config = ConfigDict(extra="forbid")

    symmetry_members: int = Field(4, ge=1, description="Networks for classes and groups")
    size_members: int = Field(3, ge=1, description="Networks for volumes and cells")
    width: int = Field(224, ge=8, description="Width of the hidden layers")
    blocks: int = Field(2, ge=0, description="Residual blocks")
    symmetry_dropout: float = Field(0.3, ge=0, lt=1, description="Dropout, symmetry networks")
    size_dropout: float = Field(0.05, ge=0, lt=1, description="Dropout, size networks")
    symmetry_epochs: int = Field(50, ge=1, description="Passes over the data, symmetry networks")
    size_epochs: int = Field(60, ge=1, description="Passes over the data, size networks")
    batch_size: int = Field(256, ge=1, description="Formulas per step")
    learning_rate: float = Field(2e-3, gt=0, description="Peak of the one-cycle schedule")
    weight_decay: float = Field(2e-2, ge=0, description="Weight decay of AdamW")
    ema: float = Field(0.99, ge=0, lt=1, description="Decay of the averaged weights")
    volume_weight: float = Field(1.0, ge=0, description="Weight of the volume against the cells")
    test_fraction: float = Field(0.1, gt=0, lt=0.9, description="Share of formulas held out")

    def network(self, n_inputs: int, dropout: float) -> dict[str, Any]:
        """Arguments of a network."""
        return {
            "n_inputs": n_inputs,
            "width": self.width,
            "blocks": self.blocks,
            "dropout": dropout,
        }

    def loop(self, epochs: int) -> LoopOptions:
        """Options of the training loop."""
        from screening.training.options import LoopOptions

        return LoopOptions(
            epochs=epochs,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            weight_decay=self.weight_decay,
            ema=self.ema,
        )


def train_symmetry(request: TrainRequest) -> Card:
    """Train both ensembles, measure them on held-out formulas and save the checkpoint.

    Raises
    ------
    InputError
        If the data or the options cannot be used.
    """
    options = parse_options(SymmetryOptions, request.options)
    table = with_cells(read_crystals(request.data))
    test = held_out(table.formulas, fraction=options.test_fraction, seed=request.seed)
    if test.all() or not test.any():
        raise InputError(
            f"{len(table)} formulas cannot be split by test_fraction={options.test_fraction}: "
            "give more data"
        )
    sources = [describe(path, len(table)) for path in request.data]
    training = _Training(request, options, table, ~test, key=content_hash(sources))
    tensors, arguments = training.run()
    seen = [f for f, held in zip(table.formulas, test, strict=True) if not held]
    tensors["seen_formulas"] = fingerprints(seen)
    draft = CheckpointRef(name=request.out.name, version=VERSION, sha256="")
    model = SymmetryModel(arguments, tensors, draft)
    card = Card(
        name=request.out.name,
        version=VERSION,
        model="screening.symmetry.model:SymmetryModel",
        description="Bravais lattice, space group, cell and volume of a composition",
        arguments=arguments,
        hyperparameters=options.model_dump(),
        data=sources,
        split={
            "by": "reduced formula, one crystal of each",
            "test_fraction": options.test_fraction,
            "seed": request.seed,
            "n_train": int((~test).sum()),
            "n_test": int(test.sum()),
        },
        metrics=plain_metrics(symmetry_metrics(model, table.select(test), seed=request.seed)),
        seed=request.seed,
        wall_time=sum(fit.wall_time for fit in training.fits),
        device=device_name(request.device),
        packages=package_versions("numpy", "spglib", "torch"),
        references=REFERENCES,
    )
    card = save_checkpoint(request.out, tensors, card)
    clear_states(request)
    return card


class _Training:
    """The data on its device, and the members trained one after the other."""

    def __init__(
        self,
        request: TrainRequest,
        options: SymmetryOptions,
        table: SymmetryTable,
        rows: NDArray[np.bool_],
        *,
        key: str,
    ) -> None:
        self.request, self.options, self.table = request, options, table.select(rows)
        self.inputs = descriptors(self.table.compositions())
        self.key = content_hash(key, options)
        self.states: Path = state_folder(request)
        self.fits: list[FitResult] = []

    def run(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """Train everything; returns the tensors and the arguments of `SymmetryModel`."""
        options, n_inputs = self.options, self.inputs.shape[1]
        arguments = {
            "symmetry_network": options.network(n_inputs, options.symmetry_dropout),
            "symmetry_members": options.symmetry_members,
            "size_network": options.network(n_inputs, options.size_dropout),
            "size_members": options.size_members,
        }
        tensors = self.symmetries(arguments) | self.sizes(arguments)
        return tensors, arguments

    def symmetries(self, arguments: dict[str, Any]) -> dict[str, NDArray[Any]]:
        """Train the networks for classes and groups."""
        from torch.nn.functional import nll_loss

        from screening.symmetry.network import SymmetryNetwork

        x = self._tensor(self.inputs)
        classes = self._tensor(self.table.bravais.astype(np.int64))
        groups = self._tensor(self.table.space_group - 1)

        def loss(network: torch.nn.Module, rows: torch.Tensor) -> torch.Tensor:
            of_class, of_group = network(x[rows])
            return nll_loss(of_class, classes[rows]) + nll_loss(of_group, groups[rows])

        return self._members(
            "symmetry",
            lambda: SymmetryNetwork(**arguments["symmetry_network"]),
            loss,
            self.options.symmetry_epochs,
        )

    def sizes(self, arguments: dict[str, Any]) -> dict[str, NDArray[Any]]:
        """Train the networks for volumes and cells."""
        from screening.symmetry.network import SizeNetwork, size_loss, size_scales, size_targets

        targets = size_targets(self.table.volume, self.table.cells, self.table.bravais)
        scales = size_scales(targets)
        x = self._tensor(self.inputs)
        y = self._tensor(((targets - scales["mean"]) / scales["scale"]).astype(np.float32))
        weight = self.options.volume_weight

        def loss(network: torch.nn.Module, rows: torch.Tensor) -> torch.Tensor:
            return size_loss(network(x[rows]), y[rows], weight)

        tensors = self._members(
            "size",
            lambda: SizeNetwork(**arguments["size_network"]),
            loss,
            self.options.size_epochs,
        )
        return tensors | {f"sizes.{key}": value for key, value in scales.items()}

    def _tensor(self, array: NDArray[Any]) -> torch.Tensor:
        import torch

        return torch.from_numpy(array).to(self.request.device)

    def _members(
        self,
        name: str,
        make: Callable[[], Any],
        loss: Callable[[torch.nn.Module, torch.Tensor], torch.Tensor],
        epochs: int,
    ) -> dict[str, NDArray[Any]]:
        from screening.features.network import export
        from screening.training.loop import fit, seeded

        members = getattr(self.options, f"{name}_members")
        tensors: dict[str, NDArray[Any]] = {}
        for i in range(members):
            seed = derive_seed(name, self.request.seed, i)
            with seeded(seed):
                network = make()
            network.trunk.standardise(self.inputs)
            network.to(self.request.device)
            result = fit(
                network,
                loss,
                len(self.inputs),
                self.options.loop(epochs),
                seed=seed,
                state=self.states / f"{name}-{i}.safetensors",
                key=self.key,
                label=f"{name} {i + 1}/{members}",
            )
            self.fits.append(result)
            tensors |= export(network, f"{name}.{i}.")
        return tensors
