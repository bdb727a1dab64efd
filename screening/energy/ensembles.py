"""Training of the two ensembles, and the stack of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from torch import nn

from screening.energy.model import BATCH_SIZE
from screening.energy.network import EnergyNetwork, robust_l1
from screening.energy.roost import RoostNetwork, graph_inputs
from screening.features import descriptors
from screening.features.network import export
from screening.identity import derive_seed
from screening.training.loop import LoopOptions, fit, seeded
from screening.training.state import state_folder

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from screening.composition import CompositionArray
    from screening.training.loop import FitResult
    from screening.training.request import TrainRequest

Kind = Literal["mlp", "roost"]
INPUTS: dict[Kind, Callable[[CompositionArray], NDArray[Any]]] = {
    "mlp": descriptors,
    "roost": graph_inputs,
}
"""What each kind of network is given."""

SHARES = np.linspace(0, 1, 21)
"""Shares of Roost that are tried."""


def train_ensemble(
    kind: Kind,
    request: TrainRequest,
    arguments: dict[str, Any],
    loop: LoopOptions,
    *,
    compositions: CompositionArray,
    energies: NDArray[np.float32],
    watched: tuple[CompositionArray, NDArray[np.float32]],
    key: str,
) -> tuple[dict[str, NDArray[Any]], dict[str, FitResult]]:
    """Train the members of one ensemble, each from its own seed.

    Parameters
    ----------
    kind
        ``mlp`` (on descriptors) or ``roost``.
    request
        Seed, device, and the folder where unfinished members are kept.
    arguments
        Of the model: sizes, numbers of members, mean and scale of the energies.
    loop
        Hyperparameters of the training.
    compositions, energies
        The training part, n formulas; eV/atom, ``(n, r)``, NaN where unknown.
    watched
        The same of other formulas, whose mean absolute error (eV/atom) is recorded in each epoch.
    key
        Hash of data and options.

    Returns
    -------
    The weights, and one record per member, by name.
    """
    inputs = INPUTS[kind](compositions)
    target = (energies - arguments["energy_mean"]) / arguments["energy_scale"]
    x = torch.from_numpy(inputs).to(request.device)
    y = torch.from_numpy(target.astype(np.float32)).to(request.device)

    def loss(network: nn.Module, rows: torch.Tensor) -> torch.Tensor:
        mean, log_sigma = network(x[rows])
        return robust_l1(mean, log_sigma, y[rows])

    tensors: dict[str, NDArray[Any]] = {}
    fits: dict[str, FitResult] = {}
    n_members = arguments["members" if kind == "mlp" else "roost_members"]
    for i in range(n_members):
        seed = derive_seed(f"energy {'member' if kind == 'mlp' else kind}", request.seed, i)
        network = _network(kind, arguments, inputs, energies.shape[1], seed).to(request.device)
        state = state_folder(request) / f"{kind}-{i}.safetensors"
        fits[f"{kind} {i + 1}"] = fit(
            network,
            loss,
            len(x),
            loop,
            seed=seed,
            watch=_error(kind, arguments, *watched, device=request.device),
            state=state,
            key=key,
            label=f"{kind} {i + 1}/{n_members}",
        )
        tensors |= export(network, f"{kind}.{i}.")
    return tensors, fits


def _error(
    kind: Kind,
    arguments: dict[str, Any],
    compositions: CompositionArray,
    energies: NDArray[np.float32],
    device: str,
) -> Callable[[nn.Module], float] | None:
    """Make the function that measures a member's mean absolute error on other formulas."""
    if not len(compositions):
        return None
    inputs = torch.from_numpy(INPUTS[kind](compositions)).to(device)

    def error(network: nn.Module) -> float:
        mean = torch.cat([network(part)[0] for part in inputs.split(BATCH_SIZE)]).cpu().numpy()
        predicted = mean * arguments["energy_scale"] + arguments["energy_mean"]
        return float(np.nanmean(np.abs(predicted - energies)))

    return error


def _network(
    kind: Kind, arguments: dict[str, Any], inputs: NDArray[Any], n_references: int, seed: int
) -> nn.Module:
    """Make one member with its initial weights."""
    with seeded(seed):
        if kind == "roost":
            return RoostNetwork(**arguments["roost"], n_references=n_references)
        network = EnergyNetwork(**arguments["network"], n_references=n_references)
    network.trunk.standardise(inputs)
    return network


def stack_shares(
    mlp: NDArray[np.float32], roost: NDArray[np.float32], truth: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Choose the share of Roost in the mean of the two, for each reference.

    Parameters
    ----------
    mlp, roost, truth
        Energies of formulas that neither was trained on (eV/atom), each ``(n, r)``; NaN in `truth`
        where unknown.

    Returns
    -------
    The share with the lowest mean absolute error, shape ``(r,)``.
    """
    errors = [np.nansum(np.abs((1 - s) * mlp + s * roost - truth), axis=0) for s in SHARES]
    best: NDArray[np.float32] = SHARES[np.argmin(errors, axis=0)].astype(np.float32)
    return best
