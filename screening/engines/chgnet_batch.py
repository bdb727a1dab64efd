"""CHGNet for many crystals at once, without the chgnet package's own (training) code path.

The weights are those in the `chgnet` wheel, read without unpickling code and checked by hash.
"""

from __future__ import annotations

import hashlib
import io
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch

from screening.engines.base import GPA_PER_EV_A3, Evaluation
from screening.engines.chgnet_graph import BatchGraph, find_bonds, join
from screening.engines.chgnet_network import ChgnetNetwork, GraphTensors, Wiring
from screening.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from screening.engines.base import Crystal
    from screening.engines.chgnet_graph import Bonds
    from screening.engines.chgnet_network import Messenger

MAX_Z = 94
"""CHGNet knows H to Pu."""


class Weights(NamedTuple):
    """A file inside the chgnet package and its SHA-256."""

    path: str
    sha256: str


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
    spec = find_spec("chgnet")
    if spec is None or not spec.submodule_search_locations:
        raise EngineError(f"engine {name!r} needs the package chgnet: pip install chgnet")
    weights = WEIGHTS[name]
    path = Path(spec.submodule_search_locations[0]) / weights.path
    if not path.is_file():
        raise EngineError(f"{path} is missing: install chgnet>=0.4.2, which holds these weights")
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != weights.sha256:
        raise EngineError(f"{path} does not hold the weights of {name!r}: install chgnet again")
    state: dict[str, Tensor] = torch.load(
        io.BytesIO(content), map_location="cpu", weights_only=True
    )["model"]["state_dict"]
    return state


class ChgnetEngine:
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

    def __init__(
        self,
        name: str = "chgnet-0.3.0",
        device: str = "cpu",
        *,
        double: bool = False,
        max_cost: int | None = None,
        skin: float = 0.5,
    ) -> None:
        self.name = name
        self.device = _check_device(device)
        self.skin = skin
        self.max_cost = max_cost or (8_000 if self.device.type == "cpu" else 1_000_000)
        dtype = torch.float64 if double else torch.float32
        state = {
            key: value.to(self.device, dtype).requires_grad_(False)
            for key, value in load_state(name).items()
        }
        self.references = state["composition_model.fc.weight"][0].double().cpu().numpy()
        self.network = ChgnetNetwork(state, _messenger(self.device, dtype))

    def evaluate(self, crystals: Sequence[Crystal]) -> list[Evaluation]:
        """Evaluate crystals in order; one that cannot be evaluated says why and spoils no other.

        Raises
        ------
        EngineError
            If the device fails.
        """
        results: list[Evaluation | None] = [None] * len(crystals)
        bonds: dict[int, Bonds] = {}
        for index, crystal in enumerate(crystals):
            found = self._bonds(crystal)
            if isinstance(found, str):
                results[index] = Evaluation.failed(len(crystal), found)
            else:
                bonds[index] = found
        for group in _cut(bonds, self.max_cost):
            done = self._evaluate_group(
                [crystals[index] for index in group], [bonds[index] for index in group]
            )
            for index, result in zip(group, done, strict=True):
                results[index] = result
        return [result for result in results if result is not None]

    def _bonds(self, crystal: Crystal) -> Bonds | str:
        """Find the bonds of a crystal, or say why it cannot be evaluated."""
        if error := _unusable(crystal):
            return error
        try:
            bonds = find_bonds(crystal, self.skin)
        except Exception as problem:  # noqa: BLE001 - one crystal's fault must stay its own
            return f"no neighbour list ({type(problem).__name__}: {problem})"[:300]
        return _isolated(bonds, len(crystal)) or bonds

    def _evaluate_group(
        self, crystals: Sequence[Crystal], bonds: Sequence[Bonds]
    ) -> list[Evaluation]:
        """Evaluate together; when the memory does not suffice, evaluate halves."""
        try:
            return self._run(crystals, join(crystals, bonds))
        except (MemoryError, RuntimeError) as error:
            if not _out_of_memory(error):
                raise EngineError(f"CHGNet failed on {self.device}: {error}") from error
            if len(crystals) == 1:
                atoms = len(crystals[0])
                return [Evaluation.failed(atoms, f"out of memory with {atoms} atoms")]
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
        half = len(crystals) // 2
        return [
            *self._evaluate_group(crystals[:half], bonds[:half]),
            *self._evaluate_group(crystals[half:], bonds[half:]),
        ]

    def _run(self, crystals: Sequence[Crystal], graph: BatchGraph) -> list[Evaluation]:
        """One pass of the network and one gradient with respect to the bond vectors."""
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


def _check_device(device: str) -> torch.device:
    try:
        chosen = torch.device(device)
        torch.zeros(1, device=chosen)
    except (RuntimeError, AssertionError) as error:
        raise EngineError(
            f"{device=} cannot be used ({str(error).splitlines()[0]}): use 'cpu' or a CUDA device"
        ) from error
    return chosen


def _unusable(crystal: Crystal) -> str | None:
    """Why CHGNet cannot look at a crystal at all."""
    if not (np.isfinite(crystal.positions).all() and np.isfinite(crystal.cell).all()):
        return "positions or cell are not finite"
    if not crystal.volume:
        return "the cell has no volume"
    if crystal.numbers.max() > MAX_Z:
        return f"CHGNet knows the elements up to Pu, not atomic number {crystal.numbers.max()}"
    return None


def _isolated(bonds: Bonds, n_atoms: int) -> str | None:
    """Why CHGNet's energy would mean nothing: an atom without neighbours."""
    seen = np.zeros(n_atoms, dtype=bool)
    seen[bonds.first] = True
    seen[bonds.second] = True
    if seen.all():
        return None
    return f"atom {int(np.argmin(seen))} has no neighbour within 6 Angstrom"


def _cut(bonds: dict[int, Bonds], max_cost: int) -> Iterator[list[int]]:
    """Cut the batch, in order, into groups of at most `max_cost` (or of one crystal)."""
    group: list[int] = []
    cost = 0
    for index, item in bonds.items():
        if group and cost + item.cost > max_cost:
            yield group
            group, cost = [], 0
        group.append(index)
        cost += item.cost
    if group:
        yield group


def _out_of_memory(error: Exception) -> bool:
    text = str(error)
    return isinstance(error, (MemoryError, torch.cuda.OutOfMemoryError)) or (
        "out of memory" in text or "can't allocate memory" in text
    )
