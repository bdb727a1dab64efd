"""Reading and writing checkpoints."""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import ValidationError

from screening.checkpoints.card import Card
from screening.errors import CheckpointError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import numpy as np
    from numpy.typing import NDArray

    from screening.schemas.base import CheckpointRef

M = TypeVar("M")

WEIGHTS = "weights.safetensors"
CARD = "card.json"
BUNDLED = Path(__file__).parent

_LIST = re.compile(r"\[\n[^][{}]*\]")
"""A list of plain values over several lines; no text of JSON holds a line end."""

_user_folder: list[Path] = []


@dataclass(frozen=True)
class Checkpoint:
    """Card and tensors (numpy arrays by name) of one trained model."""

    card: Card
    tensors: dict[str, NDArray[Any]]
    folder: Path

    def build(
        self,
        model: Callable[[dict[str, Any], dict[str, NDArray[Any]], CheckpointRef], M],
        kind: str,
    ) -> M:
        """Make the model of the card's arguments, the tensors and the reference.

        Parameters
        ----------
        model
            Its class.
        kind
            Name of the bundled checkpoint and of the training command.

        Raises
        ------
        CheckpointError
            If the checkpoint is of another kind or version.
        """
        try:
            return model(self.card.arguments, self.tensors, self.card.ref())
        except (KeyError, RuntimeError, TypeError) as error:
            raise CheckpointError(
                f"checkpoint {str(self.folder)!r} is no {kind} model of this version ({error}): "
                f"use {kind!r}, or train one with `screening train {kind}`"
            ) from None


def set_checkpoint_folder(folder: Path | None) -> None:
    """Look for checkpoints in `folder` before the bundled ones (None: only the bundled)."""
    _user_folder[:] = [folder] if folder else []


def bundled_names() -> list[str]:
    """Names of the checkpoints that come with the package."""
    return sorted(path.parent.name for path in BUNDLED.glob(f"*/{CARD}"))


def bundled_sha256(name: str) -> str | None:
    """SHA-256 of the weights of a bundled checkpoint; None if there is none of that name."""
    folder = BUNDLED / name
    return _read_card(folder).sha256 if (folder / CARD).is_file() else None


def _find(name: str) -> Path:
    """Find the folder of a checkpoint: a path, the user's folder, or the bundled ones."""
    candidates = [Path(name)] if os.sep in name else [f / name for f in (*_user_folder, BUNDLED)]
    for folder in candidates:
        if (folder / CARD).is_file():
            return folder
    raise CheckpointError(
        f"no checkpoint {name!r}: bundled are {bundled_names()}; give one of these, the path of a "
        f"folder with {CARD} and {WEIGHTS}, or make one with `screening train`"
    )


def file_sha256(path: Path) -> str:
    """SHA-256 (hexadecimal) of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _read_card(folder: Path) -> Card:
    """Read and verify a card, once for each state of its two files."""
    files = (folder / CARD, folder / WEIGHTS)
    states = [path.stat() for path in files if path.is_file()]
    return _verified(folder, tuple((state.st_mtime_ns, state.st_size) for state in states))


@cache
def _verified(folder: Path, _state: tuple[tuple[int, int], ...]) -> Card:
    try:
        card = Card.model_validate_json((folder / CARD).read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        raise CheckpointError(
            f"{folder / CARD} is not a card: {first['loc']} {first['msg']}"
        ) from None
    if not (folder / WEIGHTS).is_file():
        raise CheckpointError(
            f"{folder / WEIGHTS} is missing: install or train {card.name!r} again"
        )
    digest = file_sha256(folder / WEIGHTS)
    if digest != card.sha256:
        raise CheckpointError(
            f"{folder / WEIGHTS} is damaged: its SHA-256 is {digest[:12]}..., the card says "
            f"{card.sha256[:12]}...; install or train {card.name!r} again"
        )
    return card


def checkpoint_ref(name: str) -> CheckpointRef:
    """Refer to a checkpoint without loading its tensors; the weights are verified once.

    Raises
    ------
    CheckpointError
        If there is no such checkpoint or it is damaged.
    """
    return _read_card(_find(name)).ref()


def read_card(name: str) -> Card:
    """Read the card of a checkpoint; see `checkpoint_ref` for the errors."""
    return _read_card(_find(name))


def load_checkpoint(name: str) -> Checkpoint:
    """Load and verify a checkpoint.

    Parameters
    ----------
    name
        Name of a bundled checkpoint or one in the user's folder, or a path with a separator.

    Raises
    ------
    CheckpointError
        If there is no such checkpoint or it is damaged.
    """
    from safetensors.numpy import load_file

    folder = _find(name)
    card = _read_card(folder)
    return Checkpoint(card, load_file(folder / WEIGHTS), folder)


def save_checkpoint(folder: Path, tensors: Mapping[str, NDArray[np.generic]], card: Card) -> Card:
    """Write weights and card to `folder`, each by an atomic replacement.

    Parameters
    ----------
    folder
        Made if needed; its name should be ``card.name``.
    tensors
        Contiguous numpy arrays by name.
    card
        The card; its `sha256` is filled in.

    Returns
    -------
    The card as written.
    """
    from safetensors.numpy import save

    folder.mkdir(parents=True, exist_ok=True)
    weights = save(dict(tensors))
    written = card.model_copy(update={"sha256": hashlib.sha256(weights).hexdigest()})
    _replace(folder / WEIGHTS, weights)
    _replace(folder / CARD, _card_text(written).encode())
    _verified.cache_clear()
    return written


def _card_text(card: Card) -> str:
    """Write a card as indented JSON with lists of plain values on one line."""
    text = card.model_dump_json(indent=2)
    return _LIST.sub(lambda found: re.sub(r"\n *", " ", found[0]), text) + "\n"


def _replace(path: Path, content: bytes) -> None:
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
        file.write(content)
    Path(file.name).chmod(0o644)
    Path(file.name).replace(path)
