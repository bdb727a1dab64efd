"""The one training loop of all torch models: resumable, seeded, on cpu and cuda.

AdamW (Loshchilov & Hutter 2019, arXiv:1711.05101) with a one-cycle (Smith & Topin 2019,
doi:10.1117/12.2520589) or cosine schedule, an optional moving average of the weights, early
stopping on a validation metric, and a state file from which an interrupted run goes on to the same
result, bit by bit on the same machine: the batches of an epoch come from a numpy generator seeded
with the epoch, the random numbers of a step (dropout) from a torch generator seeded with the step.
"""

from __future__ import annotations

import json
import time
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from screening.errors import InputError
from screening.identity import content_hash
from screening.progress import report
from screening.training.options import FitResult, LoopOptions, learning_rate
from screening.training.state import read_state, write_state

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray
    from torch import Tensor


__all__ = ["FitResult", "LoopOptions", "fit", "seeded"]

_STRETCH = 20
"""Batches among which rows are sorted by size."""


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Draw torch's random numbers inside the block (initial weights) from `seed`."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


def fit(
    model: nn.Module,
    loss: Callable[[nn.Module, Tensor], Tensor],
    n_rows: int,
    options: LoopOptions,
    *,
    seed: int,
    validate: Callable[[nn.Module], float] | None = None,
    watch: Callable[[nn.Module], float] | None = None,
    sizes: NDArray[np.int64] | None = None,
    state: Path | None = None,
    key: str = "",
    label: str = "training",
) -> FitResult:
    """Train `model` in place; it ends with the best validated (or the last) weights, in eval mode.

    Parameters
    ----------
    model
        The model, already on its device, with its initial weights.
    loss
        Gives the scalar loss of the training rows whose indices it gets, int64 ``(batch,)`` on the
        model's device.
    n_rows
        Number of training rows.
    options
        The hyperparameters.
    seed
        Seed of the order of the batches and of dropout.
    validate
        Gives the metric, lower is better; called in eval mode without gradients.
    watch
        The same, but recorded for the training curve only: it decides nothing, so the weights are
        those of a training without it. Give one of the two.
    sizes
        Size of each row, shape ``(n_rows,)``: rows of similar size come into one batch, so that
        little is padded. None mixes all rows.
    state
        File that is written every `state_every` seconds, and at the end. If it exists, training
        goes on from it.
    key
        What else the training depends on, such as the hash of its data: a state that was left with
        another key is refused.
    label
        Name under which progress is reported.

    Raises
    ------
    InputError
        If there are no rows, or `state` belongs to a training with other options, seed or sizes.
    """
    if n_rows < 1:
        raise InputError(f"cannot train on {n_rows=}: the training part has no rows")
    with torch.random.fork_rng(devices=_cuda_devices(model)):
        run = _Run(model, loss, n_rows, options, seed=seed, key=key, label=label)
        run.sizes = sizes
        run.load(state)
        try:
            while not run.done:
                run.epoch(validate, watch, state)
        finally:
            model.eval()
        run.finish(state)
    return run.result


def _alike(
    order: NDArray[np.int64], sizes: NDArray[np.int64], batch: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Sort stretches of `_STRETCH` batches by size, and shuffle the batches of each."""
    parts = []
    for first in range(0, len(order), _STRETCH * batch):
        stretch = order[first : first + _STRETCH * batch]
        whole = len(stretch) // batch * batch
        rest, stretch = stretch[whole:], stretch[:whole]
        stretch = stretch[np.argsort(sizes[stretch], kind="stable")].reshape(-1, batch)
        parts += [stretch[rng.permutation(len(stretch))].ravel(), rest]
    return np.concatenate(parts)


def _cuda_devices(model: nn.Module) -> list[int]:
    return sorted({p.device.index or 0 for p in model.parameters() if p.device.type == "cuda"})


class _Run:
    """The moving parts of one call of `fit`."""

    def __init__(
        self,
        model: nn.Module,
        loss: Callable[[nn.Module, Tensor], Tensor],
        n_rows: int,
        options: LoopOptions,
        *,
        seed: int,
        key: str,
        label: str,
    ) -> None:
        self.model, self.loss, self.n_rows = model, loss, n_rows
        self.options, self.seed, self.key, self.label = options, seed, key, label
        self.device = next(model.parameters()).device
        self.batch_size = min(options.batch_size, n_rows)
        self.steps_per_epoch = max(1, n_rows // self.batch_size)
        self.total = options.epochs * self.steps_per_epoch
        matrices = [p for p in model.parameters() if p.requires_grad and p.ndim > 1]
        vectors = [p for p in model.parameters() if p.requires_grad and p.ndim <= 1]
        groups = [
            {"params": matrices, "weight_decay": options.weight_decay},
            {"params": vectors, "weight_decay": 0.0},
        ]
        self.optimizer = torch.optim.AdamW(groups, lr=options.learning_rate)
        self.average = _copy(model) if options.ema is not None else None
        self.best: dict[str, Tensor] | None = None
        self.step, self.stale, self.done = 0, 0, options.epochs < 1
        self.loss_sum = torch.zeros((), dtype=torch.float64, device=self.device)
        self.sizes: NDArray[np.int64] | None = None
        self.result = FitResult()
        self.started = self.saved = time.monotonic()

    def epoch(
        self,
        validate: Callable[[nn.Module], float] | None,
        watch: Callable[[nn.Module], float] | None,
        state: Path | None,
    ) -> None:
        """Do the steps that are left of the current epoch, and validate."""
        epoch, first = divmod(self.step, self.steps_per_epoch)
        rng = np.random.default_rng([self.seed, epoch])
        order = rng.permutation(self.n_rows)
        if self.sizes is not None:
            order = _alike(order, self.sizes, self.batch_size, rng)
        rows = torch.from_numpy(order).to(self.device)
        self.model.train()
        for i in range(first, self.steps_per_epoch):
            self._step(rows[i * self.batch_size : (i + 1) * self.batch_size])
            report(self.label, self.step, self.total, self._detail())
            last = i + 1 == self.steps_per_epoch
            if not last and time.monotonic() - self.saved > self.options.state_every:
                self.save(state)
        self._close_epoch(epoch, validate, watch)
        if not self.done and time.monotonic() - self.saved > self.options.state_every:
            self.save(state)

    def _step(self, rows: Tensor) -> None:
        torch.manual_seed(self.seed * 1_000_003 + self.step)
        rate = learning_rate(self.step, self.total, self.options)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.zero_grad()
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.options.bfloat16):
            value = self.loss(self.model, rows)
        value.backward()
        if self.options.clip_norm is not None:
            nn.utils.clip_grad_norm_(self.model.parameters(), self.options.clip_norm)
        self.optimizer.step()
        self.step += 1
        self.loss_sum += value.detach()
        if self.average is not None and self.options.ema is not None:
            decay = min(self.options.ema, (1 + self.step) / (10 + self.step))
            _average(self.average, self.model, decay)

    def _close_epoch(
        self,
        epoch: int,
        validate: Callable[[nn.Module], float] | None,
        watch: Callable[[nn.Module], float] | None,
    ) -> None:
        """Record the epoch, validate it, and decide whether to go on."""
        options, result = self.options, self.result
        entry = {"epoch": epoch + 1.0, "loss": float(self.loss_sum) / self.steps_per_epoch}
        self.loss_sum.zero_()
        result.epochs = epoch + 1
        last = result.epochs >= options.epochs
        due = last or result.epochs % options.validate_every == 0
        if watch is not None and due:
            entry["metric"] = self._validate(watch)
        if validate is not None and due:
            entry["metric"] = self._validate(validate)
            if entry["metric"] < result.metric:
                result.metric, self.stale = entry["metric"], 0
                self.best = _copy(self.model) if self.average is None else _clone(self.average)
            else:
                self.stale += 1
        result.history.append(entry)
        self.done = last or (options.patience is not None and self.stale >= options.patience)

    def _validate(self, validate: Callable[[nn.Module], float]) -> float:
        """Validate the averaged weights, if there are any, without touching the others."""
        own = _copy(self.model)
        if self.average is not None:
            self.model.load_state_dict(self.average)
        self.model.eval()
        with torch.no_grad():
            metric = float(validate(self.model))
        self.model.load_state_dict(own)
        return metric

    def _detail(self) -> str:
        entry = self.result.history[-1] if self.result.history else {}
        return ", ".join(f"{key} {value:.4g}" for key, value in entry.items())

    def finish(self, state: Path | None) -> None:
        """Put the weights that count into the model."""
        weights = self.best if self.best is not None else self.average
        if weights is not None:
            self.model.load_state_dict(weights)
        if state is not None:
            self.save(state)
        self.result.wall_time += time.monotonic() - self.started
        self.started = time.monotonic()

    def _identity(self) -> str:
        shapes = {key: list(value.shape) for key, value in self.model.state_dict().items()}
        options = asdict(self.options) | {"state_every": None}
        return content_hash(options, self.seed, self.key, self.n_rows, shapes)

    def save(self, state: Path | None) -> None:
        """Write everything that is needed to go on."""
        if state is None:
            return
        tensors = {f"model.{key}": value for key, value in self.model.state_dict().items()}
        for prefix, weights in (("average", self.average), ("best", self.best)):
            tensors |= {f"{prefix}.{key}": value for key, value in (weights or {}).items()}
        moments = self.optimizer.state_dict()["state"]
        tensors |= {
            f"adam.{i}.{key}": value for i, m in moments.items() for key, value in m.items()
        }
        tensors["loss_sum"] = self.loss_sum
        wall_time = self.result.wall_time + time.monotonic() - self.started
        meta = {
            "identity": self._identity(),
            "step": self.step,
            "stale": self.stale,
            "done": self.done,
            "result": asdict(self.result) | {"wall_time": wall_time},
        }
        write_state(state, tensors, json.dumps(meta))
        self.saved = time.monotonic()

    def load(self, state: Path | None) -> None:
        """Go on from `state` if it is there."""
        if state is None or not state.is_file():
            return
        tensors, text = read_state(state, self.device)
        meta: dict[str, Any] = json.loads(text)
        if meta["identity"] != self._identity():
            raise InputError(
                f"{state} was left by a training with other options, data or seed: repeat those, "
                "or start anew without resuming"
            )
        self.model.load_state_dict(_part(tensors, "model."))
        self.average = _part(tensors, "average.") or None
        self.best = _part(tensors, "best.") or None
        self._load_optimizer(_part(tensors, "adam."))
        self.loss_sum = tensors["loss_sum"]
        self.step, self.stale, self.done = meta["step"], meta["stale"], meta["done"]
        self.result = FitResult(**meta["result"])

    def _load_optimizer(self, moments: dict[str, Tensor]) -> None:
        whole = self.optimizer.state_dict()
        whole["state"] = {}
        for key, value in moments.items():
            i, name = key.split(".", 1)
            whole["state"].setdefault(int(i), {})[name] = value
        self.optimizer.load_state_dict(whole)


def _part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}


def _clone(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    return {key: value.clone() for key, value in weights.items()}


def _copy(model: nn.Module) -> dict[str, Tensor]:
    return _clone(model.state_dict())


@torch.no_grad()
def _average(average: dict[str, Tensor], model: nn.Module, decay: float) -> None:
    """Move the averaged weights towards the model's; integers and buffers are copied."""
    learned = dict(model.named_parameters())
    targets = [average[key] for key in learned]
    torch._foreach_lerp_(targets, list(learned.values()), 1 - decay)
    for key, value in model.named_buffers():
        if key in average:
            average[key].copy_(value)
