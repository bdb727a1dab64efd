"""Hyperparameters of a training run, its learning rate, and what it reports."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True)
class LoopOptions:
    """How a model is trained.

    Attributes
    ----------
    epochs
        Passes over the training rows.
    batch_size
        Rows per step; an incomplete last batch is left out, unless it is the only one.
    learning_rate
        Peak of the schedule.
    weight_decay
        AdamW's decay of matrices; vectors (biases, norms) are not decayed.
    schedule
        ``one-cycle`` (cosine warm-up from 1/25, cosine to 1e-4 of the peak), ``cosine`` (linear
        warm-up, cosine to 0) or ``constant``.
    warmup
        Share of the steps in which the rate rises.
    clip_norm
        Largest norm of the gradient; None does not clip.
    ema
        Decay per step of the moving average of the weights, which is then what is validated and
        returned; None uses the weights themselves.
    patience
        Validated epochs without a better metric after which training stops; None never stops.
    validate_every
        Epochs between validations; the last epoch is always validated.
    bfloat16
        Run the forward pass under bfloat16 autocast.
    state_every
        Seconds between two writings of the state.
    """

    epochs: int
    batch_size: int
    learning_rate: float
    weight_decay: float = 1e-2
    schedule: Literal["one-cycle", "cosine", "constant"] = "one-cycle"
    warmup: float = 0.15
    clip_norm: float | None = 5.0
    ema: float | None = None
    patience: int | None = None
    validate_every: int = 1
    bfloat16: bool = False
    state_every: float = 60.0


@dataclass
class FitResult:
    """What a training run went through.

    Attributes
    ----------
    epochs
        Epochs done.
    metric
        Validation metric of the weights that were kept, infinite without validation.
    history
        One entry for each epoch: ``epoch``, ``loss`` and, when validated, ``metric``.
    wall_time
        Seconds of training, over all runs that contributed.
    """

    epochs: int = 0
    metric: float = math.inf
    history: list[dict[str, float]] = field(default_factory=list)
    wall_time: float = 0.0


def learning_rate(step: int, total: int, options: LoopOptions) -> float:
    """Learning rate of a step (from 0) out of `total`."""
    if options.schedule == "constant":
        return options.learning_rate
    warmup = max(1.0, options.warmup * total)
    if step < warmup and options.schedule == "cosine":
        return options.learning_rate * (step + 1) / (warmup + 1)
    start, end = (1 / 25, 1.0) if step < warmup else (1.0, 1e-4)
    if options.schedule == "cosine":
        end = 0.0
    share = step / warmup if step < warmup else (step - warmup) / max(1.0, total - warmup)
    weight = 0.5 * (1 - math.cos(math.pi * min(1.0, share)))
    return options.learning_rate * (start + weight * (end - start))
