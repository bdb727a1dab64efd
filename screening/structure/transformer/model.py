"""The trained model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np

from screening.checkpoints import load_checkpoint
from screening.features.network import restore
from screening.structure.transformer.network import CrystalTransformer

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from screening.schemas import CheckpointRef

MODEL_CLASS = "screening.structure.transformer.model:TransformerModel"


class TransformerModel:
    """Crystals of compositions.

    Parameters
    ----------
    arguments
        ``network``: arguments of `CrystalTransformer`; ``max_atoms``: largest primitive cell.
    tensors
        Weights, fingerprints of the formulas that they were trained on, and how many formula units
        of each size of unit the training crystals have.
    ref
        The checkpoint.
    """

    def __init__(
        self, arguments: dict[str, Any], tensors: dict[str, NDArray[Any]], ref: CheckpointRef
    ) -> None:
        self.ref = ref
        self.max_atoms: int = arguments["max_atoms"]
        self.seen_formulas: NDArray[np.uint32] = tensors["seen_formulas"]
        self.unit_counts: NDArray[np.int64] = tensors["unit_counts"]
        self.network = CrystalTransformer(**arguments["network"])
        restore(self.network, tensors, "network.")

    @classmethod
    def load(cls, checkpoint: str = "transformer") -> Self:
        """Load a checkpoint by name or path.

        Raises
        ------
        CheckpointError
            If it is missing, damaged, or of another kind.
        """
        return load_checkpoint(checkpoint).build(cls, "transformer")

    def unit_chances(self, unit: int, allowed: tuple[int, ...]) -> NDArray[np.float64]:
        """How likely each number of formula units is, for units of so many atoms."""
        counts = self.unit_counts[min(unit, len(self.unit_counts) - 1), list(allowed)] + 0.5
        chances: NDArray[np.float64] = counts / counts.sum()
        return chances


def count_units(numbers: NDArray[np.uint8], max_atoms: int) -> NDArray[np.int64]:
    """Count crystals by atoms in the formula unit and by formula units in the primitive cell.

    Parameters
    ----------
    numbers
        Atomic numbers, 0 is padding, shape ``(s, n)``.
    max_atoms
        Largest cell.

    Returns
    -------
    Shape ``(max_atoms + 1, max_atoms + 1)``.
    """
    found = np.zeros((max_atoms + 1, max_atoms + 1), dtype=np.int64)
    for row in numbers:
        amounts = np.unique(row[row > 0], return_counts=True)[1]
        units = int(np.gcd.reduce(amounts))
        found[amounts.sum() // units, units] += 1
    return found
