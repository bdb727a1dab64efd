"""Samplers of trained composition generators, by the name of a checkpoint."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import torch

from screening.checkpoints import checkpoint_ref, load_checkpoint
from screening.errors import CheckpointError, InputError
from screening.generation.autoregressive.model import SetModel
from screening.generation.autoregressive.sample import SetSampler
from screening.generation.matgan.model import SlotGenerator
from screening.generation.networks import NETWORKS

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from screening.generation.chunks import CompositionSampler

from screening.generation.matgan.sample import Sampler, build_generator


def state_from(tensors: dict[str, NDArray[np.generic]]) -> dict[str, Tensor]:
    """Read the generator's weights from a checkpoint's tensors (float16) as float32."""
    prefix = "generator."
    return {
        name.removeprefix(prefix): torch.from_numpy(np.array(value)).float()
        if np.issubdtype(value.dtype, np.floating)
        else torch.from_numpy(np.array(value))
        for name, value in tensors.items()
        if name.startswith(prefix)
    }


def load_sampler(
    checkpoint: str, temperature: float | None = None, amount_temperature: float | None = None
) -> CompositionSampler:
    """Load the sampler of a checkpoint; the last two stay in memory.

    Parameters
    ----------
    checkpoint
        Name or path.
    temperature, amount_temperature
        Sampling temperatures, the second of an autoregressive model only; None for those of the
        checkpoint.

    Raises
    ------
    CheckpointError
        If the checkpoint cannot be read or is no generator of compositions.
    InputError
        If a temperature is given for a model that has none.
    """
    digest = checkpoint_ref(checkpoint).sha256
    return _load(checkpoint, digest, temperature, amount_temperature)


@lru_cache(maxsize=2)
def _load(
    checkpoint: str,
    sha256: str,  # noqa: ARG001 - another file, another sampler
    temperature: float | None,
    amount_temperature: float | None,
) -> CompositionSampler:
    loaded = load_checkpoint(checkpoint)
    network = NETWORKS.get(loaded.card.model)
    if network is None:
        raise CheckpointError(
            f"checkpoint {checkpoint!r} is a {loaded.card.model}, no generator of compositions"
        )
    weights = state_from(loaded.tensors)
    if network == "autoregressive":
        model = SetModel(**loaded.card.arguments)
        model.load_state_dict(weights)
        elements, amounts = loaded.tensors["temperatures"].tolist()
        return SetSampler(model, temperature or elements, amount_temperature or amounts)
    generator = build_generator(loaded.card.arguments)
    set_here = None if isinstance(generator, SlotGenerator) else temperature
    if set_here is not None or amount_temperature is not None:
        raise InputError(
            f"temperature={set_here}, {amount_temperature=}: {checkpoint!r} has none to set"
        )
    generator.load_state_dict(weights)
    own = loaded.tensors["temperature"].item() if "temperature" in loaded.tensors else None
    return Sampler(generator, temperature or own)
