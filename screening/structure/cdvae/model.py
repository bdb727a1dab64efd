"""The trained model: crystals of a composition at a pressure, and the pool's generator."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from screening.checkpoints import load_checkpoint
from screening.crystal.crystals import structure_of
from screening.crystal.distances import MIN_CONTACT, closest_contact, covalent_radii
from screening.errors import InputError
from screening.features.network import restore
from screening.identity import derive_seed
from screening.structure.cdvae.network import make_network
from screening.structure.cdvae.sampling import SamplingOptions, generate
from screening.structure.request import Proposal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from screening.crystal.crystals import Cell
    from screening.schemas import CheckpointRef
    from screening.structure.request import Target

MODEL_CLASS = "screening.structure.cdvae.model:CdvaeModel"
NAME = "cond-cdvae"
_REACH = 1.5


class CdvaeModel:
    """Crystals of compositions at pressures.

    Parameters
    ----------
    arguments
        ``network``: arguments of `make_network`; ``max_atoms``: most atoms in training.
    tensors
        Weights, and fingerprints of the formulas that they were trained on.
    ref
        The checkpoint.
    """

    def __init__(
        self, arguments: dict[str, Any], tensors: dict[str, NDArray[Any]], ref: CheckpointRef
    ) -> None:
        self.ref = ref
        self.max_atoms: int = arguments["max_atoms"]
        self.seen_formulas: NDArray[np.uint32] = tensors["seen_formulas"]
        self.network = make_network(arguments["network"])
        restore(self.network, tensors, "network.")
        self.network.eval()
        self.levels = len(self.network.get_buffer("sigmas"))

    @classmethod
    def load(cls, checkpoint: str = NAME) -> Self:
        """Load a checkpoint by name or path.

        Raises
        ------
        CheckpointError
            If it is missing, damaged, or of another kind.
        """
        return load_checkpoint(checkpoint).build(cls, NAME)

    def generate(
        self,
        numbers: Sequence[NDArray[np.int64]],
        pressures: Sequence[float],
        options: SamplingOptions,
        seed: int,
    ) -> list[Cell]:
        """Draw one crystal for each list of atomic numbers.

        Raises
        ------
        InputError
            If a cell has more atoms than the model was trained on.
        """
        largest = max((len(one) for one in numbers), default=0)
        if largest > self.max_atoms:
            raise InputError(
                f"a cell of {largest} atoms: this model was trained on at most {self.max_atoms}"
            )
        return generate(self.network, numbers, pressures, options, seed)


class CdvaeGenerator:
    """Proposes crystals of the model at the target's pressure; they have no order.

    Parameters
    ----------
    checkpoint
        The model, or the name of its checkpoint.
    sampling
        How structures are drawn.
    """

    name = NAME
    version = "2"

    def __init__(
        self, checkpoint: CdvaeModel | str = NAME, sampling: SamplingOptions | None = None
    ) -> None:
        self._checkpoint, self.sampling = checkpoint, sampling or SamplingOptions()

    @cached_property
    def model(self) -> CdvaeModel:
        """The model."""
        given = self._checkpoint
        return CdvaeModel.load(given) if isinstance(given, str) else given

    def generate(self, target: Target, n: int, seed: int = 0) -> list[Proposal]:
        """Propose up to `n` structures; those with atoms too close to each other are left out.

        Formula units are taken in turn, as far as the model was trained on so many atoms.

        Parameters
        ----------
        target
            Composition, limits and pressure.
        n
            Most proposals.
        seed
            Other seeds draw other structures.
        """
        units = [
            count
            for count in target.allowed_units
            if count * sum(target.composition.values()) <= self.model.max_atoms
        ]
        if not units:
            return []
        numbers = [_numbers(target.composition, units[k % len(units)]) for k in range(n)]
        seed = derive_seed(self.name, self.version, target.formula, target.pressure, seed)
        cells = self.model.generate(numbers, [target.pressure] * n, self.sampling, seed)
        return [
            Proposal(
                structure=structure_of(cell),
                parameters={
                    "pressure": target.pressure,
                    "steps": self.sampling.steps,
                    "levels": self.sampling.levels or self.model.levels,
                    "checkpoint": self.model.ref.sha256,
                },
            )
            for cell in cells
            if closest_contact(cell[0], cell[1], covalent_radii()[cell[2]], _REACH) >= MIN_CONTACT
        ]


def _numbers(composition: dict[int, int], units: int) -> NDArray[np.int64]:
    """Atomic numbers of a cell with so many formula units."""
    return np.repeat(list(composition), [units * n for n in composition.values()]).astype(np.int64)
