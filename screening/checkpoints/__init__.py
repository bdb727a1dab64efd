"""Checkpoints: safetensors and one JSON card each; no pickle is ever read.

A checkpoint is a folder ``NAME/`` with ``weights.safetensors`` and ``card.json``. The bundled ones
lie beside this file and work offline; users' own lie in a folder of theirs.
"""

from screening.checkpoints.card import Card, DataSource
from screening.checkpoints.io import (
    Checkpoint,
    bundled_names,
    checkpoint_ref,
    load_checkpoint,
    read_card,
    save_checkpoint,
    set_checkpoint_folder,
)

__all__ = [
    "Card",
    "Checkpoint",
    "DataSource",
    "bundled_names",
    "checkpoint_ref",
    "load_checkpoint",
    "read_card",
    "save_checkpoint",
    "set_checkpoint_folder",
]
