"""Training of the symmetry model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field
from torch.nn.functional import nll_loss

from screening.checkpoints import Card, save_checkpoint
from screening.errors import InputError
from screening.features import descriptors
from screening.features.network import export
from screening.identity import content_hash, derive_seed
from screening.schemas import CheckpointRef
from screening.symmetry import stack
from screening.symmetry.bravais import N_SPACE_GROUPS
from screening.symmetry.data import read_crystals, with_cells
from screening.symmetry.metrics import symmetry_metrics
from screening.symmetry.model import SymmetryModel
from screening.symmetry.network import (
    SizeNetwork,
    SymmetryNetwork,
    size_loss,
    size_scales,
    size_targets,
    space_group_probabilities,
)
from screening.symmetry.plots import compound_map
from screening.symmetry.vote_training import fit_kernel
from screening.symmetry.votes import Memory, Votes
from screening.training.curves import columns
from screening.training.data import fingerprints, held_out
from screening.training.environment import device_name, package_versions
from screening.training.loop import fit, seeded
from screening.training.options import LoopOptions
from screening.training.request import parse_options, plain_metrics
from screening.training.state import clear_states, state_folder
from screening.training.trees import TreeOptions, pack_text

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from screening.symmetry.data import SymmetryTable
    from screening.symmetry.votes import VoteKernel
    from screening.training.loop import FitResult
    from screening.training.request import TrainRequest

REFERENCES = ["10.1103/PhysRevMaterials.4.123802", "10.1016/j.commatsci.2022.111496"]
VERSION = "2"


class SymmetryOptions(BaseModel):
    """Hyperparameters of the training."""

    model_config = ConfigDict(extra="forbid")

    folds: int = Field(4, ge=2, description="Parts of the formulas for predictions out of fold")
    symmetry_members: int = Field(2, ge=1, description="Networks for groups, in each fold")
    size_members: int = Field(3, ge=1, description="Networks for volumes and cells")
    symmetry_width: int = Field(128, ge=8, description="Width of the networks for groups")
    width: int = Field(224, ge=8, description="Width of the networks for sizes")
    blocks: int = Field(2, ge=0, description="Residual blocks")
    symmetry_dropout: float = Field(0.3, ge=0, lt=1, description="Dropout, networks for groups")
    size_dropout: float = Field(0.05, ge=0, lt=1, description="Dropout, size networks")
    symmetry_epochs: int = Field(30, ge=1, description="Passes over the data, groups")
    size_epochs: int = Field(60, ge=1, description="Passes over the data, size networks")
    batch_size: int = Field(256, ge=1, description="Formulas per step")
    learning_rate: float = Field(2e-3, gt=0, description="Peak of the one-cycle schedule")
    weight_decay: float = Field(2e-2, ge=0, description="Weight decay of AdamW")
    ema: float = Field(0.99, ge=0, lt=1, description="Decay of the averaged weights")
    volume_weight: float = Field(1.0, ge=0, description="Weight of the volume against the cells")
    kernel_size: int = Field(16, ge=8, description="Numbers that stand for an element in votes")
    kernel_width: int = Field(128, ge=8, description="Width of the network of the votes' kernel")
    kernel_outputs: int = Field(24, ge=1, description="Length of the vectors that votes compare")
    kernel_dropout: float = Field(0.1, ge=0, lt=1, description="Dropout, kernel")
    kernel_epochs: int = Field(10, ge=1, description="Passes over the data, kernel")
    kernel_rate: float = Field(5e-3, gt=0, description="Peak of the learning rate, kernel")
    tree_rounds: int = Field(120, ge=0, description="Trees of the stack")
    tree_leaves: int = Field(15, ge=2, description="Leaves of a tree")
    tree_rate: float = Field(0.06, gt=0, description="Learning rate of the trees")
    test_fraction: float = Field(0.1, gt=0, lt=0.9, description="Share of formulas held out")

    def network(self, n_inputs: int, width: int, dropout: float) -> dict[str, Any]:
        """Arguments of a network."""
        return {"n_inputs": n_inputs, "width": width, "blocks": self.blocks, "dropout": dropout}

    def kernel(self) -> dict[str, Any]:
        """Arguments of the kernel."""
        return {
            "size": self.kernel_size,
            "width": self.kernel_width,
            "outputs": self.kernel_outputs,
            "dropout": self.kernel_dropout,
        }

    def loop(self, epochs: int) -> LoopOptions:
        """Options of the training loop for networks."""
        return LoopOptions(
            epochs=epochs,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            weight_decay=self.weight_decay,
            ema=self.ema,
        )

    def kernel_loop(self) -> LoopOptions:
        """Options of the training loop for the kernel."""
        return LoopOptions(epochs=self.kernel_epochs, batch_size=2, learning_rate=self.kernel_rate)


def train_symmetry(request: TrainRequest) -> Card:
    """Train all parts, measure them on held-out formulas and save the checkpoint.

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
    sources = [request.source(path, len(table)) for path in request.data]
    training = _Training(request, options, table, ~test, key=content_hash(sources))
    tensors, arguments = training.run()
    seen = [f for f, held in zip(table.formulas, test, strict=True) if not held]
    tensors["seen_formulas"] = fingerprints(seen)
    draft = CheckpointRef(name=request.out.name, version=VERSION, sha256="")
    model = SymmetryModel(arguments, tensors, draft)
    metrics = plain_metrics(symmetry_metrics(model, table.select(test), seed=request.seed))
    plots = metrics.pop("plots") | {
        "map": compound_map(model, table.compositions(), seed=request.seed)
    }
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
        metrics=metrics,
        plots=plots,
        history=training.history,
        seed=request.seed,
        wall_time=sum(fit.wall_time for fit in training.fits),
        device=device_name(request.device),
        packages=package_versions("lightgbm", "numpy", "spglib", "torch"),
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
        self.compositions = self.table.compositions().reduced()
        self.groups = self.table.space_group - 1
        self.inputs = descriptors(self.compositions)
        self.key = content_hash(key, options)
        self.states: Path = state_folder(request)
        self.fits: list[FitResult] = []
        self.history: dict[str, dict[str, list[float]]] = {}

    def run(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """Train everything; returns the tensors and the arguments of `SymmetryModel`."""
        options, n_inputs = self.options, self.inputs.shape[1]
        arguments = {
            "symmetry_network": options.network(
                n_inputs, options.symmetry_width, options.symmetry_dropout
            ),
            "symmetry_members": options.folds * options.symmetry_members,
            "size_network": options.network(n_inputs, options.width, options.size_dropout),
            "size_members": options.size_members,
            "kernel": options.kernel(),
        }
        tensors, networks, votes = self.symmetries(arguments)
        stack, arguments["votes_weight"] = self.stack(networks, votes)
        return tensors | stack | self.sizes(arguments), arguments

    def symmetries(
        self, arguments: dict[str, Any]
    ) -> tuple[dict[str, NDArray[Any]], NDArray[np.float64], Votes]:
        """Train networks and kernels fold by fold, and the kernel that stays.

        Returns
        -------
        The tensors, and the probabilities and votes for each row by parts that do not know it.
        """
        n, folds = len(self.table), self.options.folds
        fold = np.random.default_rng(derive_seed("folds", self.request.seed)).permutation(n) % folds
        networks = np.zeros((n, N_SPACE_GROUPS))
        votes = Votes.none(n)
        tensors: dict[str, NDArray[Any]] = {}
        for k in range(folds):
            rest, part = np.flatnonzero(fold != k), np.flatnonzero(fold == k)
            weights, networks[part] = self._fold_networks(arguments, k, rest, part)
            tensors |= weights
            memory = self._memory(self._kernel(rest, str(k)))
            votes.put(part, memory.votes(self.compositions[part], own=part))
        tensors |= export(self._kernel(np.arange(n), "all"), "kernel.")
        tensors["memory.numbers"] = self.compositions.numbers
        tensors["memory.counts"] = self.compositions.counts
        tensors["memory.groups"] = self.groups.astype(np.uint8)
        return tensors, networks, votes

    def stack(
        self, networks: NDArray[np.float64], votes: Votes
    ) -> tuple[dict[str, NDArray[Any]], float]:
        """Fit the stack on predictions out of fold; returns its tensors and the votes' weight."""
        prior = stack.frequencies(self.groups)
        weight = stack.best_weight(networks, votes, prior, self.groups)
        mean = stack.blend(networks, votes, weight, prior)
        columns = stack.candidates(mean)
        inputs = stack.features(networks, votes, mean, prior, columns)
        options = TreeOptions(
            rounds=self.options.tree_rounds,
            rate=self.options.tree_rate,
            leaves=self.options.tree_leaves,
            smallest=100,
            seed=derive_seed("trees", self.request.seed) % 2**31,
        )
        text = stack.fit_stack(inputs, mean, columns, self.groups, options)
        return {"stack.trees": pack_text(text), "stack.prior": prior}, weight

    def _fold_networks(
        self,
        arguments: dict[str, Any],
        k: int,
        rest: NDArray[np.intp],
        part: NDArray[np.intp],
    ) -> tuple[dict[str, NDArray[Any]], NDArray[np.float64]]:
        """Train the networks for groups on the rows `rest`; predict the rows `part`."""
        x = self._tensor(self.inputs[rest])
        classes = self._tensor(self.table.bravais[rest].astype(np.int64))
        groups = self._tensor(self.groups[rest])

        def loss(network: torch.nn.Module, rows: torch.Tensor) -> torch.Tensor:
            of_class, of_group = network(x[rows])
            return nll_loss(of_class, classes[rows]) + nll_loss(of_group, groups[rows])

        unknown = self._tensor(self.inputs[part])
        their_classes = self._tensor(self.table.bravais[part].astype(np.int64))

        def watch(network: torch.nn.Module) -> float:
            return float(nll_loss(network(unknown)[0], their_classes))

        members = self.options.symmetry_members
        tensors, networks = self._members(
            "symmetry",
            range(k * members, (k + 1) * members),
            lambda: SymmetryNetwork(**arguments["symmetry_network"]),
            loss,
            self.inputs[rest],
            watch=watch,
        )
        with torch.inference_mode():
            predicted = [space_group_probabilities(network, unknown) for network in networks]
        return tensors, np.mean(predicted, axis=0)

    def _kernel(self, rows: NDArray[np.intp], name: str) -> VoteKernel:
        """Train the kernel of the votes on some rows."""
        kernel, result = fit_kernel(
            self.compositions[rows],
            self.groups[rows],
            self.options.kernel(),
            self.options.kernel_loop(),
            seed=derive_seed("votes", self.request.seed, name),
            device=self.request.device,
            state=self.states / f"votes-{name}.safetensors",
            key=self.key,
            label=f"votes {name}",
        )
        self._record(f"votes {name}", result)
        return kernel

    def _record(self, name: str, result: FitResult) -> None:
        self.fits.append(result)
        self.history[name] = columns(result.history)

    def _memory(self, kernel: VoteKernel) -> Memory:
        return Memory(kernel, self.compositions, self.groups)

    def sizes(self, arguments: dict[str, Any]) -> dict[str, NDArray[Any]]:
        """Train the networks for volumes and cells."""
        targets = size_targets(self.table.volume, self.table.cells, self.table.bravais)
        scales = size_scales(targets)
        x = self._tensor(self.inputs)
        y = self._tensor(((targets - scales["mean"]) / scales["scale"]).astype(np.float32))
        weight = self.options.volume_weight

        def loss(network: torch.nn.Module, rows: torch.Tensor) -> torch.Tensor:
            return size_loss(network(x[rows]), y[rows], weight)

        tensors, _ = self._members(
            "size",
            range(self.options.size_members),
            lambda: SizeNetwork(**arguments["size_network"]),
            loss,
            self.inputs,
        )
        return tensors | {f"sizes.{key}": value for key, value in scales.items()}

    def _tensor(self, array: NDArray[Any]) -> torch.Tensor:
        return torch.from_numpy(array).to(self.request.device)

    def _members(
        self,
        name: str,
        members: range,
        make: Callable[[], Any],
        loss: Callable[[torch.nn.Module, torch.Tensor], torch.Tensor],
        inputs: NDArray[np.float32],
        *,
        watch: Callable[[torch.nn.Module], float] | None = None,
    ) -> tuple[dict[str, NDArray[Any]], list[Any]]:
        """Train networks with those numbers; returns their weights by name, and the networks."""
        tensors: dict[str, NDArray[Any]] = {}
        networks = []
        for i in members:
            seed = derive_seed(name, self.request.seed, i)
            with seeded(seed):
                network = make()
            network.trunk.standardise(inputs)
            network.to(self.request.device)
            result = fit(
                network,
                loss,
                len(inputs),
                self.options.loop(getattr(self.options, f"{name}_epochs")),
                seed=seed,
                watch=watch,
                state=self.states / f"{name}-{i}.safetensors",
                key=self.key,
                label=f"{name} {i + 1}",
            )
            self._record(f"{name} {i + 1}", result)
            tensors |= export(network, f"{name}.{i}.")
            networks.append(network)
        return tensors, networks
