"""Reading and writing a bank as a checkpoint."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from screening.checkpoints import load_checkpoint, save_checkpoint
from screening.errors import CheckpointError
from screening.prototypes.substitution import SubstitutionModel

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from screening.checkpoints import Card
    from screening.prototypes.arrays import PrototypeArrays

BANK_CLASS = "screening.prototypes.bank:Bank"
SEEN = "seen_formulas"


def read_bank(name: str) -> dict[str, Any]:
    """Read the fields of a bank from a checkpoint.

    Raises
    ------
    CheckpointError
        If there is no such checkpoint, it is damaged, or it is not a bank.
    """
    checkpoint = load_checkpoint(name)
    if checkpoint.card.model != BANK_CLASS:
        raise CheckpointError(
            f"checkpoint {name!r} is {checkpoint.card.model}, not a prototype bank ({BANK_CLASS})"
        )
    arrays = {
        key: value
        for key, value in checkpoint.tensors.items()
        if key != SEEN and not key.startswith("model_")
    }
    model = SubstitutionModel.from_tensors(checkpoint.tensors)
    return {**arrays, "model": model, "ref": checkpoint.card.ref()}


def bank_tensors(bank: PrototypeArrays) -> dict[str, NDArray[Any]]:
    """All tensors of a bank's checkpoint: arrays, model, and fingerprints of the formulas."""
    from screening.training.data import fingerprints

    arrays = {name: np.ascontiguousarray(value) for name, value in bank.arrays().items()}
    return {**arrays, **bank.model.to_tensors(), SEEN: fingerprints(bank.formulas)}


def write_bank(bank: PrototypeArrays, folder: Path, card: Card) -> Card:
    """Write a bank and its card; returns the card with the digest filled in."""
    return save_checkpoint(folder, bank_tensors(bank), card)
