"""SevenNet for many crystals at once, through the `sevenn` package.

An equivariant potential (Park et al. 2024, doi:10.1021/acs.jctc.4c00190), nearer to DFT than CHGNet
and slower. The weights are those in the `sevenn` wheel, checked by hash before that package reads
them; neighbour lists and batches are ours.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from screening.engines.base import GPA_PER_EV_A3, Evaluation
from screening.engines.batching import BatchEngine
from screening.engines.neighbors import neighbors_of
from screening.engines.weights import Weights, read_weights

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from screening.engines.base import Crystal


WEIGHTS = {
    "sevennet-l3i5": Weights(
        "pretrained_potentials/SevenNet_l3i5/checkpoint_l3i5.pth",
        "a7ff190d41efe5b8317a03d20a468e4036a1a3e64e0b14fdbab64ac3f4bfc09d",
    ),
    "sevennet-0": Weights(
        "pretrained_potentials/SevenNet_0__11Jul2024/checkpoint_sevennet_0.pth",
        "7052cb42b7b3be42b40b97fa0d21077a48c54b5548948fc4dcf346629f813c36",
    ),
}
_VOIGT = np.array([[0, 3, 5], [3, 1, 4], [5, 4, 2]])
"""Places of xx, yy, zz, xy, yz, zx in a tensor."""


@dataclass(frozen=True)
class Edges:
    """Directed edges of one crystal: atoms ``(e,)``, and vectors (Angstrom) ``(e, 3)``."""

    first: NDArray[np.int64]
    second: NDArray[np.int64]
    vectors: NDArray[np.float64]

    @property
    def cost(self) -> int:
        """Number of edges."""
        return len(self.first)


def weights_file(name: str) -> Path:
    """Find the weights called `name` in the installed sevenn package.

    Raises
    ------
    EngineError
        If sevenn is not installed, or its file is not the one that `name` stands for.
    """
    return read_weights(name, WEIGHTS[name], "sevenn", "0.13")[0]


class SevenNetEngine(BatchEngine[Edges]):
    """Batched SevenNet.

    Parameters
    ----------
    name
        A key of `WEIGHTS`.
    device
        torch device.
    max_cost
        Largest number of directed edges in one pass. The default suits the cache of a CPU core,
        where larger passes are slower, and a GPU.
    skin
        Skin of the neighbour lists (Angstrom).

    Raises
    ------
    EngineError
        If the package, its weights or the device are not there.
    """

    label, max_z, last = "SevenNet", 94, "Pu"

    def __init__(
        self,
        name: str = "sevennet-l3i5",
        device: str = "cpu",
        *,
        max_cost: int | None = None,
        skin: float = 0.5,
    ) -> None:
        path = weights_file(name)
        super().__init__(name, device, max_cost or (800 if device == "cpu" else 200_000))
        from sevenn.util import load_checkpoint

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            network = load_checkpoint(path).build_model()
        self.skin, self.cutoff = skin, float(network.cutoff)
        self.known = frozenset(network.type_map)
        network.set_is_batch_data(True)
        self.network = network.to(self.device).eval().requires_grad_(False)

    def _graph(self, crystal: Crystal) -> Edges | str:
        """Find the edges of a crystal; an atom without any would have a meaningless energy."""
        unknown = sorted(set(crystal.numbers.tolist()) - self.known)
        if unknown:
            return f"SevenNet does not know the atomic number {unknown[0]}"
        pairs = neighbors_of(crystal, self.cutoff, self.skin)
        vectors = pairs.vectors(crystal)
        near = np.einsum("ij,ij->i", vectors, vectors) < self.cutoff**2
        first, second, vectors = pairs.first[near], pairs.second[near], vectors[near]
        alone = np.setdiff1d(np.arange(len(crystal)), np.concatenate([first, second]))
        if len(alone):
            return f"atom {int(alone[0])} has no neighbour within {self.cutoff:g} Angstrom"
        return Edges(
            np.concatenate([first, second]),
            np.concatenate([second, first]),
            np.concatenate([vectors, -vectors]),
        )

    def _run(self, crystals: Sequence[Crystal], graphs: Sequence[Edges]) -> list[Evaluation]:
        """One pass of the network and one gradient with respect to the edges."""
        sizes = np.array([len(crystal) for crystal in crystals])
        starts = np.cumsum(sizes) - sizes
        numbers = np.concatenate([crystal.numbers for crystal in crystals])
        edges = np.stack(
            [
                np.concatenate([g.first + s for g, s in zip(graphs, starts, strict=True)]),
                np.concatenate([g.second + s for g, s in zip(graphs, starts, strict=True)]),
            ]
        )
        with torch.enable_grad():
            found = self.network(
                {
                    "x": self._tensor(numbers),
                    "atomic_numbers": self._tensor(numbers),
                    "pos": self._tensor(np.concatenate([c.positions for c in crystals])),
                    "edge_index": self._tensor(edges),
                    "edge_vec": self._tensor(np.concatenate([g.vectors for g in graphs])),
                    "cell_volume": self._tensor(np.array([c.volume for c in crystals])),
                    "num_atoms": self._tensor(sizes),
                    "batch": self._tensor(np.repeat(np.arange(len(sizes)), sizes)),
                }
            )
        energies, forces, stresses = (
            found[f"inferred_{name}"].detach().double().cpu().numpy()
            for name in ("total_energy", "force", "stress")
        )
        return [
            Evaluation(
                energy=float(energies[i]),
                forces=forces[start : start + size],
                stress=-stresses[i][_VOIGT] * GPA_PER_EV_A3,
            )
            for i, (start, size) in enumerate(zip(starts.tolist(), sizes.tolist(), strict=True))
        ]

    def _tensor(self, array: NDArray[Any]) -> torch.Tensor:
        """Move an array to the device, floats in single precision."""
        tensor = torch.from_numpy(array).to(self.device)
        return tensor.float() if tensor.is_floating_point() else tensor
