"""Loss of energies and forces with first derivatives only.

The gradient of a loss of forces needs mixed second derivatives of the energy. They are directional:
with ``v = dL/dF``, ``dL/dw = -d/dw (v . dE/dx)``, which a central difference of energies along `v`
gives. So the same compiled loops serve that relaxations use, and three passes make a step.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import smooth_l1_loss

from screening.engines.nequix import find_pairs, join, messenger_for, species_table
from screening.engines.nequix_network import NequixNetwork

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from screening.engines.base import Crystal
    from screening.engines.nequix import Batch
    from screening.engines.nequix_file import NequixConfig
    from screening.tuning.frames import Frames

STEP = 0.01
"""Largest displacement of the central difference (Angstrom)."""
BEND_ENERGY, BEND_FORCE = 0.01, 0.02
"""Errors (eV/atom, eV/Angstrom) from which on the loss grows linearly."""
BATCH = 16
"""Crystals in a pass without derivatives."""
FIXED = ("atom_energies",)


class TunedNetwork(nn.Module):
    """Nequix with weights that are trained; energies of atoms stay as they are.

    Parameters
    ----------
    config
        Hyperparameters.
    arrays
        Weights to start from, see `NequixConfig.shapes`.
    """

    def __init__(self, config: NequixConfig, arrays: Mapping[str, NDArray[np.float32]]) -> None:
        super().__init__()
        self.config = config
        self.fixed = {name: arrays[name] for name in FIXED}
        self.keys = [name for name in arrays if name not in FIXED]
        for name in self.keys:
            values = torch.from_numpy(arrays[name].copy())
            self.register_parameter(name.replace(".", "-"), nn.Parameter(values))
        self.species = species_table(config)
        self.zero = torch.from_numpy(arrays["atom_energies"].astype(np.float64) + config.shift)
        couplings = NequixNetwork(config, self.weights()).couplings
        self.couplings = couplings
        self.messenger = messenger_for(torch.device("cpu"))

    def weights(self) -> dict[str, Tensor]:
        """Weights by their names in `NequixConfig.shapes`."""
        return {name: self.get_parameter(name.replace(".", "-")) for name in self.keys}

    def arrays(self) -> dict[str, NDArray[np.float32]]:
        """Copy all weights, for a checkpoint."""
        trained = {name: value.detach().numpy().copy() for name, value in self.weights().items()}
        return {**self.fixed, **trained}

    def batch(self, crystals: Sequence[Crystal]) -> Batch:
        """Join the pairs of crystals, which must be such that the network can evaluate them."""
        graphs = [find_pairs(crystal, self.config, self.species, 0.5) for crystal in crystals]
        for graph in graphs:
            if isinstance(graph, str):
                raise TypeError(graph)
        return join(
            crystals, [graph for graph in graphs if not isinstance(graph, str)], self.species
        )

    def energies(self, batch: Batch, vectors: Tensor, n: int) -> Tensor:
        """Energies of n crystals (eV), shape ``(n,)``, double."""
        network = NequixNetwork(self.config, self.weights(), self.messenger, self.couplings)
        sites = network(vectors, batch.pairs(torch.device("cpu"))).double()
        sites = sites + self.zero[torch.from_numpy(batch.species)]
        return sites.new_zeros(n).index_add(0, torch.from_numpy(batch.owner), sites)

    def forward(self, crystals: Sequence[Crystal]) -> Tensor:
        """Energies of crystals (eV/atom), shape ``(n,)``."""
        batch = self.batch(crystals)
        total = self.energies(batch, torch.from_numpy(batch.vectors), len(crystals))
        return total / torch.tensor([len(crystal) for crystal in crystals])


def network_energies(network: TunedNetwork, crystals: Sequence[Crystal]) -> NDArray[np.float64]:
    """Energies of crystals that the network can evaluate (eV/atom), without any derivative."""
    energies = np.zeros(len(crystals))
    with torch.no_grad():
        for first in range(0, len(crystals), BATCH):
            group = crystals[first : first + BATCH]
            energies[first : first + len(group)] = network(group).numpy()
    return energies


def tuning_loss(
    model: TunedNetwork, frames: Frames, rows: NDArray[np.int64], force_weight: float
) -> Tensor:
    """Mean loss of the frames `rows`: of energies for all, of forces where these are known.

    Its value leaves out the forces' part that is zero in value; its gradient is that of the whole.
    """
    plain = [int(k) for k in rows if frames.forces[k] is None]
    forced = [int(k) for k in rows if frames.forces[k] is not None]
    total = torch.zeros((), dtype=torch.float64)
    if plain:
        predicted = model([frames.crystals[k] for k in plain])
        total = total + _energy_loss(predicted, frames.energies[plain])
    if forced:
        total = total + _forced_loss(model, frames, forced, force_weight)
    return total / len(rows)


def _energy_loss(predicted: Tensor, targets: NDArray[np.float64]) -> Tensor:
    wanted = torch.from_numpy(targets)
    return smooth_l1_loss(predicted, wanted, beta=BEND_ENERGY, reduction="sum") / BEND_ENERGY


def _forced_loss(
    model: TunedNetwork, frames: Frames, rows: list[int], force_weight: float
) -> Tensor:
    """Loss of energies and forces by energies at both sides along the forces' errors."""
    crystals = [frames.crystals[k] for k in rows]
    sizes = torch.tensor([len(crystal) for crystal in crystals])
    batch = model.batch(crystals)
    slope, value, between = _force_slope(
        model, batch, np.concatenate([frames.forces[k] for k in rows]), sizes
    )
    largest = float(slope.abs().max())
    vectors = torch.from_numpy(batch.vectors)
    if largest == 0.0:  # the start: forces are what they should be
        energies = model.energies(batch, vectors, len(crystals))
        return _energy_loss(energies / sizes, frames.energies[rows])
    scale = STEP / largest
    shift = scale * (
        slope[torch.from_numpy(batch.neighbors)] - slope[torch.from_numpy(batch.centers)]
    )
    ahead = model.energies(batch, vectors + shift, len(crystals))
    behind = model.energies(batch, vectors - shift, len(crystals))
    along = -((ahead - behind) / (2 * scale)).sum()
    energies = (ahead + behind) / 2
    # the mean of both sides lies above the energy between them: its gradient, the other's value
    energies = energies + (between - energies.detach())
    # the value of the loss of forces with the gradient of `along`
    forces = value + along - along.detach()
    return _energy_loss(energies / sizes, frames.energies[rows]) + force_weight * forces


def _force_slope(
    model: TunedNetwork, batch: Batch, targets: NDArray[np.float64], sizes: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Give the loss of forces, its derivative by forces ``(atoms, 3)`` before it, and energies."""
    vectors = torch.from_numpy(batch.vectors).requires_grad_()
    with torch.enable_grad():
        energies = model.energies(batch, vectors, len(sizes))
        (gradient,) = torch.autograd.grad(energies.sum(), [vectors])
    forces = torch.zeros((len(batch.species), 3), dtype=torch.float64)
    forces.index_add_(0, torch.from_numpy(batch.centers), gradient)
    forces.index_add_(0, torch.from_numpy(batch.neighbors), gradient, alpha=-1)
    forces.requires_grad_()
    each = smooth_l1_loss(forces, torch.from_numpy(targets), beta=BEND_FORCE, reduction="none")
    atoms = torch.repeat_interleave(sizes, sizes)
    value = (each.sum(dim=1) / (3 * BEND_FORCE * atoms)).sum()
    (slope,) = torch.autograd.grad(value, [forces])
    return slope, value.detach(), energies.detach()
