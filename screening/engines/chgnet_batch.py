"""CHGNet for many crystals at once, without the chgnet package's own (training) code path.

The weights are those in the `chgnet` wheel, read without unpickling code and checked by hash.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
import torch

from screening.engines.base import GPA_PER_EV_A3, Evaluation
from screening.engines.batching import BatchEngine
from screening.engines.chgnet_graph import BatchGraph, Bonds, find_bonds, join
from screening.engines.chgnet_network import ChgnetNetwork, GraphTensors, Wiring
from screening.engines.weights import Weights, read_weights

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from screening.engines.base import Crystal
    from screening.engines.chgnet_network import Messenger

MAX_Z = 94
"""CHGNet knows H to Pu."""


WEIGHTS = {
    "chgnet-0.3.0": Weights(
        "pretrained/0.3.0/chgnet_0.3.0_e29f68s314m37.pth.tar",
        "d14ab7c0f093efe64b60a7bcd540bca10e74fb7f46c86108a079af60524659d1",
    ),
    "chgnet-r2scan": Weights(
        "pretrained/r2scan/chgnet_r2scan_transfer_learning_e15f36s161m23.pth.tar",
        "8eba3db0f35a2788bb3ae22885ad340591e27996f213c6643af522a633b50dad",
    ),
}


def load_state(name: str) -> dict[str, Tensor]:
    """Read the weights called `name` from the installed chgnet package.

    Raises
    ------
    EngineError
        If chgnet is not installed, or its file is missing or not the one that `name` stands for.
    """
    _, content = read_weights(name, WEIGHTS[name], "chgnet", "0.4.2")
    state: dict[str, Tensor] = torch.load(
        io.BytesIO(content), map_location="cpu", weights_only=True
    )["model"]["state_dict"]
    return state


class ChgnetEngine(BatchEngine[Bonds]):
    """Batched CHGNet.

    Parameters
    ----------
    name
        A key of `WEIGHTS`.
    device
        torch device.
    double
        Compute the network in double precision: about three times slower on a CPU, forces free of
        rounding noise (single precision: up to about 5e-6 eV/Angstrom).
    max_cost
        Largest number of directed bonds and angles in one pass; larger batches are cut. The
        default keeps the tables of a pass in the cache of a CPU core, and fills a GPU.
    skin
        Skin of the neighbour lists (Angstrom).

    Raises
    ------
    EngineError
        If the weights or the device are not there.
    """

    label, max_z, last = "CHGNet", MAX_Z, "Pu"

    def __init__(
        self,
        name: str = "chgnet-0.3.0",
        device: str = "cpu",
        *,
        double: bool = False,
        max_cost: int | None = None,
        skin: float = 0.5,
    ) -> None:
        super().__init__(name, device, max_cost or (8_000 if device == "cpu" else 1_000_000))
        self.skin = skin
        dtype = torch.float64 if double else torch.float32
        state = {
            key: value.to(self.device, dtype).requires_grad_(False)
            for key, value in load_state(name).items()
        }
        self.references = state["composition_model.fc.weight"][0].double().cpu().numpy()
        self.network = ChgnetNetwork(state, _messenger(self.device, dtype))

    def _graph(self, crystal: Crystal) -> Bonds | str:
        """Find the bonds of a crystal; atoms without neighbours would have meaningless energies."""
        bonds = find_bonds(crystal, self.skin)
        return _isolated(bonds, len(crystal)) or bonds

    def _run(self, crystals: Sequence[Crystal], graphs: Sequence[Bonds]) -> list[Evaluation]:
        """One pass of the network and one gradient with respect to the bond vectors."""
        graph = join(crystals, graphs)
        tensors = self._tensors(graph)
        vectors = torch.from_numpy(graph.vectors).to(self.device).requires_grad_()
        with torch.enable_grad():
            site_energies, moments = self.network(vectors, tensors)
            (gradient,) = torch.autograd.grad(site_energies.sum(), [vectors])
        return self._collect(
            crystals,
            graph,
            site_energies.detach().double().cpu().numpy(),
            gradient.cpu().numpy(),
            moments.detach().double().cpu().numpy(),
        )

    def _tensors(self, graph: BatchGraph) -> GraphTensors:
        def tensor(*arrays: NDArray[np.generic]) -> Tensor:
            return torch.from_numpy(np.concatenate(arrays)).to(self.device)

        bond = np.arange(len(graph.first))
        none = tensor(bond[:0])
        toward, away = tensor(graph.first, graph.second), tensor(graph.second, graph.first)
        along = tensor(bond, bond)
        one, other = tensor(graph.left, graph.right), tensor(graph.right, graph.left)
        return GraphTensors(
            numbers=tensor(graph.numbers),
            n_short=graph.n_short,
            left=tensor(graph.left),
            right=tensor(graph.right),
            sign=tensor(graph.sign),
            bonds=Wiring(p=toward, q=away, r=along, a=along, b=none),
            angles=Wiring(p=one, q=other, r=tensor(graph.center, graph.center), a=one, b=other),
        )

    def _collect(
        self,
        crystals: Sequence[Crystal],
        graph: BatchGraph,
        site_energies: NDArray[np.float64],
        gradient: NDArray[np.float64],
        moments: NDArray[np.float64],
    ) -> list[Evaluation]:
        """Sum over sites and bonds, in double precision and in a fixed order."""
        n = len(crystals)
        energies = np.bincount(
            graph.owner, site_energies + self.references[graph.numbers - 1], minlength=n
        )
        forces = np.zeros((len(graph.numbers), 3))
        np.add.at(forces, graph.first, gradient)
        np.subtract.at(forces, graph.second, gradient)
        outer = graph.vectors[:, :, None] * gradient[:, None, :]
        virials = np.zeros((n, 3, 3))
        np.add.at(virials, graph.owner[graph.first], outer)
        ends = np.cumsum([len(crystal) for crystal in crystals])
        return [
            Evaluation(
                energy=float(energies[i]),
                forces=forces[end - len(crystal) : end],
                stress=virials[i] / crystal.volume * GPA_PER_EV_A3,
                magmoms=moments[end - len(crystal) : end],
            )
            for i, (crystal, end) in enumerate(zip(crystals, ends, strict=True))
        ]


def _messenger(device: torch.device, dtype: torch.dtype) -> Messenger | None:
    """Compiled loops where there are some: on a CPU in single precision."""
    if device.type != "cpu" or dtype != torch.float32:
        return None
    from screening.engines.chgnet_fused import FusedMessages

    return FusedMessages()


def _isolated(bonds: Bonds, n_atoms: int) -> str | None:
    """Why CHGNet's energy would mean nothing: an atom without neighbours."""
    seen = np.zeros(n_atoms, dtype=bool)
    seen[bonds.first] = True
    seen[bonds.second] = True
    if seen.all():
        return None
    return f"atom {int(np.argmin(seen))} has no neighbour within 6 Angstrom"
