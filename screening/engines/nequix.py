"""Nequix for many crystals at once, in plain torch and compiled loops.

Koker et al. 2025, arXiv:2508.16067. The weights are the authors' files in the user's data folder
(`screening potentials`), or a checkpoint that was trained here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from screening.engines.base import GPA_PER_EV_A3, Evaluation
from screening.engines.batching import BatchEngine
from screening.engines.neighbors import neighbors_of
from screening.engines.nequix_network import NequixNetwork, Pairs, plain_messages

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from screening.engines.base import Crystal
    from screening.engines.nequix_file import NequixConfig
    from screening.engines.nequix_network import Messenger


SAME_PLACE = 1e-3
"""Distance (Angstrom) below which two atoms are no crystal."""


@dataclass(frozen=True)
class PairList:
    """Pairs of one crystal: atoms ``(m,)``, and vectors (Angstrom) ``(m, 3)``."""

    centers: NDArray[np.int64]
    neighbors: NDArray[np.int64]
    vectors: NDArray[np.float64]

    @property
    def cost(self) -> int:
        """Number of pairs."""
        return len(self.centers)


@dataclass(frozen=True)
class Batch:
    """Pairs of several crystals, joined.

    Attributes
    ----------
    species
        Index of the element of each atom, shape ``(n,)``.
    owner
        Crystal of each atom, shape ``(n,)``.
    centers, neighbors
        Atoms of each pair, shape ``(m,)``.
    vectors
        From the first to the second atom (Angstrom), shape ``(m, 3)``.
    """

    species: NDArray[np.int64]
    owner: NDArray[np.int64]
    centers: NDArray[np.int64]
    neighbors: NDArray[np.int64]
    vectors: NDArray[np.float64]

    def pairs(self, device: torch.device) -> Pairs:
        """Move what the network reads to a device."""
        arrays = (self.species, self.centers, self.neighbors)
        return Pairs(*(torch.from_numpy(array).to(device) for array in arrays))


class NequixEngine(BatchEngine[PairList]):
    """Batched Nequix.

    Parameters
    ----------
    name
        Name of the energy source.
    config
        Hyperparameters.
    arrays
        Weights by name, see `NequixConfig.shapes`.
    device
        torch device.
    double
        Compute the network in double precision: about twice as slow on a CPU, forces free of
        rounding noise (single precision: about 1e-5 eV/Angstrom).
    max_cost
        Largest number of pairs in one pass. The default keeps the tables of a pass in the cache of
        a CPU core, and suits a GPU.
    skin
        Skin of the neighbour lists (Angstrom).

    Raises
    ------
    EngineError
        If the device is not there.
    """

    label, max_z, last = "Nequix", 94, "Pu"

    def __init__(
        self,
        name: str,
        config: NequixConfig,
        arrays: Mapping[str, NDArray[np.float32]],
        device: str = "cpu",
        *,
        double: bool = False,
        max_cost: int | None = None,
        skin: float = 0.5,
    ) -> None:
        super().__init__(name, device, max_cost or (2_400 if device == "cpu" else 50_000))
        dtype = torch.float64 if double else torch.float32
        weights = {
            key: torch.from_numpy(array).to(self.device, dtype) for key, array in arrays.items()
        }
        self.config, self.skin = config, skin
        self.zero = arrays["atom_energies"].astype(np.float64) + config.shift
        self.species = species_table(config)
        self.network = NequixNetwork(config, weights, messenger_for(self.device))

    def can_evaluate(self, crystal: Crystal) -> bool:
        """Tell whether the network knows the elements and each atom has a neighbour."""
        return not isinstance(self._checked(crystal), str)

    def _graph(self, crystal: Crystal) -> PairList | str:
        return find_pairs(crystal, self.config, self.species, self.skin)

    def _run(self, crystals: Sequence[Crystal], graphs: Sequence[PairList]) -> list[Evaluation]:
        """One pass of the network and one gradient with respect to the pair vectors."""
        batch = join(crystals, graphs, self.species)
        vectors = torch.from_numpy(batch.vectors).to(self.device).requires_grad_()
        with torch.enable_grad():
            energies = self.network(vectors, batch.pairs(self.device))
            (gradient,) = torch.autograd.grad(energies.sum(), [vectors])
        site_energies = energies.detach().double().cpu().numpy() + self.zero[batch.species]
        return collect(crystals, batch, site_energies, gradient.cpu().numpy())


def messenger_for(device: torch.device) -> Messenger:
    """Compiled loops on a CPU, torch's operations elsewhere."""
    if device.type != "cpu":
        return plain_messages
    from screening.engines.nequix_fused import fused_messages

    return fused_messages


def species_table(config: NequixConfig) -> NDArray[np.int64]:
    """Index of each atomic number in the network's species, -1 where it is unknown."""
    table = np.full(119, -1)
    table[list(config.numbers)] = np.arange(len(config.numbers))
    return table


def find_pairs(
    crystal: Crystal, config: NequixConfig, species: NDArray[np.int64], skin: float
) -> PairList | str:
    """Find the pairs of a crystal, or say why its energy would mean nothing."""
    unknown = crystal.numbers[species[crystal.numbers] < 0]
    if len(unknown):
        return f"Nequix does not know the atomic number {int(unknown[0])}"
    pairs = neighbors_of(crystal, config.cutoff, skin)
    vectors = pairs.vectors(crystal)
    square = np.einsum("ij,ij->i", vectors, vectors)
    within = square < config.cutoff**2
    if square.min(initial=1.0) < SAME_PLACE**2:
        return "two atoms are at the same place"
    centers, neighbors = pairs.first[within], pairs.second[within]
    alone = np.setdiff1d(np.arange(len(crystal)), np.concatenate([centers, neighbors]))
    if len(alone):
        return f"atom {int(alone[0])} has no neighbour within {config.cutoff:g} Angstrom"
    return PairList(centers, neighbors, vectors[within])


def join(
    crystals: Sequence[Crystal], graphs: Sequence[PairList], species: NDArray[np.int64]
) -> Batch:
    """Join the pairs of several crystals."""
    sizes = np.array([len(crystal) for crystal in crystals])
    starts = np.cumsum(sizes) - sizes
    return Batch(
        species[np.concatenate([crystal.numbers for crystal in crystals])],
        np.repeat(np.arange(len(sizes)), sizes),
        np.concatenate([g.centers + start for g, start in zip(graphs, starts, strict=True)]),
        np.concatenate([g.neighbors + start for g, start in zip(graphs, starts, strict=True)]),
        np.concatenate([graph.vectors for graph in graphs]),
    )


def collect(
    crystals: Sequence[Crystal],
    batch: Batch,
    site_energies: NDArray[np.float64],
    gradient: NDArray[np.float64],
) -> list[Evaluation]:
    """Sum over sites and pairs, in double precision and in a fixed order."""
    n = len(crystals)
    energies = np.bincount(batch.owner, site_energies, minlength=n)
    forces = np.zeros((len(batch.species), 3))
    np.add.at(forces, batch.centers, gradient)
    np.subtract.at(forces, batch.neighbors, gradient)
    virials = np.zeros((n, 3, 3))
    outer = batch.vectors[:, :, None] * gradient[:, None, :]
    np.add.at(virials, batch.owner[batch.centers], outer)
    virials = (virials + virials.transpose(0, 2, 1)) / 2
    ends = np.cumsum([len(crystal) for crystal in crystals])
    return [
        Evaluation(
            energy=float(energies[i]),
            forces=forces[end - len(crystal) : end],
            stress=virials[i] / crystal.volume * GPA_PER_EV_A3,
        )
        for i, (crystal, end) in enumerate(zip(crystals, ends, strict=True))
    ]
