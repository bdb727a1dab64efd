"""Files that hold what an interrupted training needs: safetensors with one text beside it."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from screening.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import torch

    from screening.training.request import TrainRequest

STATES = ".state"


def write_state(path: Path, tensors: Mapping[str, torch.Tensor], text: str) -> None:
    """Write tensors and a text to one file, by an atomic replacement; makes the folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    own = {key: value.detach().cpu().contiguous().clone() for key, value in tensors.items()}
    part = path.with_suffix(".part")
    save_file(own, part, metadata={"state": text})
    part.replace(path)


def read_state(path: Path, device: torch.device) -> tuple[dict[str, torch.Tensor], str]:
    """Read a file of `write_state`.

    Raises
    ------
    InputError
        If the file is damaged.
    """
    try:
        with safe_open(path, framework="pt", device=str(device)) as file:
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
            text = file.metadata()["state"]
    except (SafetensorError, TypeError, KeyError) as error:
        raise InputError(f"{path} is damaged ({error}): delete it and start anew") from None
    return tensors, text


def state_folder(request: TrainRequest) -> Path:
    """Folder for the states of a training; emptied unless the request is to resume."""
    if not request.resume:
        clear_states(request)
    return request.out / STATES


def clear_states(request: TrainRequest) -> None:
    """Remove the states of a training: it is done, or starts anew."""
    shutil.rmtree(request.out / STATES, ignore_errors=True)
