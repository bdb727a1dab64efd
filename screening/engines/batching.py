"""What batched potentials share: groups of crystals, one crystal's fault, too little memory."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar, Generic, Protocol, TypeVar

import numpy as np
import torch

from screening.engines.base import Evaluation
from screening.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from screening.engines.base import Crystal


class Graph(Protocol):
    """The neighbours of one crystal."""

    @property
    def cost(self) -> int:
        """Rows of the largest tables of the network."""
        ...


G = TypeVar("G", bound=Graph)


class BatchEngine(ABC, Generic[G]):
    """An engine that evaluates many crystals in one pass of a network.

    Parameters
    ----------
    name
        Name of the energy source.
    device
        torch device.
    max_cost
        Largest sum of the graphs' costs in one pass; larger batches are cut.

    Raises
    ------
    EngineError
        If the device is not there.
    """

    label: ClassVar[str]
    """What messages call the potential."""
    max_z: ClassVar[int]
    """Largest atomic number that it knows."""
    last: ClassVar[str]
    """Symbol of that element."""

    def __init__(self, name: str, device: str, max_cost: int) -> None:
        self.name = name
        self.device = check_device(device)
        self.max_cost = max_cost

    def evaluate(self, crystals: Sequence[Crystal]) -> list[Evaluation]:
        """Evaluate crystals in order; one that cannot be evaluated says why and spoils no other.

        Raises
        ------
        EngineError
            If the device fails.
        """
        results: list[Evaluation | None] = [None] * len(crystals)
        graphs: dict[int, G] = {}
        for index, crystal in enumerate(crystals):
            found = self._checked(crystal)
            if isinstance(found, str):
                results[index] = Evaluation.failed(len(crystal), found)
            else:
                graphs[index] = found
        for group in _cut(graphs, self.max_cost):
            done = self._evaluate_group(
                [crystals[index] for index in group], [graphs[index] for index in group]
            )
            for index, result in zip(group, done, strict=True):
                results[index] = result
        return [result for result in results if result is not None]

    @abstractmethod
    def _graph(self, crystal: Crystal) -> G | str:
        """Find the neighbours of a crystal, or say why it cannot be evaluated."""

    @abstractmethod
    def _run(self, crystals: Sequence[Crystal], graphs: Sequence[G]) -> list[Evaluation]:
        """Evaluate crystals in one pass."""

    def _checked(self, crystal: Crystal) -> G | str:
        if error := self._unusable(crystal):
            return error
        try:
            return self._graph(crystal)
        except Exception as problem:  # noqa: BLE001 - one crystal's fault must stay its own
            return f"no neighbour list ({type(problem).__name__}: {problem})"[:300]

    def _unusable(self, crystal: Crystal) -> str | None:
        """Why the potential cannot look at a crystal at all."""
        if not (np.isfinite(crystal.positions).all() and np.isfinite(crystal.cell).all()):
            return "positions or cell are not finite"
        if not crystal.volume:
            return "the cell has no volume"
        if (largest := crystal.numbers.max()) > self.max_z:
            return f"{self.label} knows the elements up to {self.last}, not atomic number {largest}"
        return None

    def _evaluate_group(self, crystals: Sequence[Crystal], graphs: Sequence[G]) -> list[Evaluation]:
        """Evaluate together; when the memory does not suffice, evaluate halves."""
        try:
            return self._run(crystals, graphs)
        except (MemoryError, RuntimeError) as error:
            if not _out_of_memory(error):
                raise EngineError(f"{self.label} failed on {self.device}: {error}") from error
            if len(crystals) == 1:
                atoms = len(crystals[0])
                return [Evaluation.failed(atoms, f"out of memory with {atoms} atoms")]
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
        half = len(crystals) // 2
        return [
            *self._evaluate_group(crystals[:half], graphs[:half]),
            *self._evaluate_group(crystals[half:], graphs[half:]),
        ]


def check_device(device: str) -> torch.device:
    """Give a torch device.

    Raises
    ------
    EngineError
        If it cannot be used.
    """
    try:
        chosen = torch.device(device)
        torch.zeros(1, device=chosen)
    except (RuntimeError, AssertionError) as error:
        raise EngineError(
            f"{device=} cannot be used ({str(error).splitlines()[0]}): use 'cpu' or a CUDA device"
        ) from error
    return chosen


def _cut(graphs: dict[int, G], max_cost: int) -> Iterator[list[int]]:
    """Cut the batch, in order, into groups of at most `max_cost` (or of one crystal)."""
    group: list[int] = []
    cost = 0
    for index, item in graphs.items():
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
