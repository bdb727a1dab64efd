"""Training of MatGAN with the Wasserstein loss and gradient penalty.

Dan et al. 2020, doi:10.1038/s41524-020-00352-0; Gulrajani et al. 2017, arXiv:1704.00028. It is
trained on distinct formulas without energies, by default only on those that are valid by the same
frozen oxidation-state table that its samples are judged by; the card says so.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from screening import __version__
from screening.balance import accepted, balance_codes
from screening.checkpoints import Card, save_checkpoint
from screening.generation.data import FormulaData, load_formulas
from screening.generation.evaluate import measure, training_reference
from screening.generation.matgan.options import Options
from screening.generation.matgan.sample import Sampler
from screening.generation.matgan.trainer import Trainer
from screening.generation.reference import Options as Rules
from screening.generation.representation import encode, one_hot
from screening.progress import report
from screening.training.curves import columns
from screening.training.data import fingerprints
from screening.training.environment import device_name, package_versions
from screening.training.request import parse_options, plain_metrics
from screening.training.state import clear_states, state_folder

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from screening.training.request import TrainRequest

SAVE_EVERY = 500
"""Steps between two states that an interrupted run can go on from."""

CURVE_SAMPLES = 4096
"""Samples behind each point of the training curve."""


def train_matgan(request: TrainRequest) -> Card:
    """Train MatGAN and save its checkpoint; `Options` lists what can be set.

    The state is kept in ``request.out`` while the training runs; a run that goes on from it ends
    with the same weights as one that was never interrupted.

    Raises
    ------
    InputError
        If an option or the data cannot be used, or `resume` finds a state of another training.
    """
    options = parse_options(Options, request.options).resolved()
    data = load_formulas(request.data, options, request.seed)
    train = data.compositions[~data.held_out]
    cells = torch.from_numpy(one_hot(encode(train))).to(request.device)
    trainer = Trainer(options, cells, request.seed)
    identity = {
        "options": options.model_dump(),
        "seed": request.seed,
        "data": [request.source(path, 0).sha256 for path in request.data],
    }
    state = state_folder(request) / "matgan.safetensors"
    started = time.monotonic() - trainer.restore(state, identity)
    while trainer.step < options.steps:
        loss = trainer.run(min(SAVE_EVERY, options.steps - trainer.step))
        valid = _share_valid(trainer, options)
        trainer.history.append({"step": trainer.step, "loss": loss, "metric": valid})
        trainer.save(state, identity, time.monotonic() - started)
        detail = f"critic loss {loss:.3f}, valid {valid:.3f}"
        report("matgan", trainer.step, options.steps, detail)
    card = _card(request, options, data, trainer, time.monotonic() - started)
    saved = save_checkpoint(request.out, _tensors(trainer, data), card)
    clear_states(request)
    return saved


def _share_valid(trainer: Trainer, options: Options) -> float:
    """Share of valid samples of the weights that would be kept now, for the training curve."""
    sampler = Sampler(trainer.rounded_generator())
    drawn = sampler.sample(CURVE_SAMPLES, seed=trainer.seed)
    codes = balance_codes(drawn, table=options.table)
    return float(accepted(codes).sum() / CURVE_SAMPLES)


def _tensors(trainer: Trainer, data: FormulaData) -> dict[str, NDArray[np.generic]]:
    """Weights as float16 and fingerprints of the formulas that were trained on."""
    tensors: dict[str, NDArray[np.generic]] = {
        f"generator.{name}": (value.half() if value.is_floating_point() else value).cpu().numpy()
        for name, value in trainer.kept_state().items()
    }
    seen = [f for f, out in zip(data.formulas, data.held_out, strict=True) if not out]
    tensors["seen_formulas"] = fingerprints(seen)
    if trainer.options.network == "slots":  # part of the model's identity
        tensors["temperature"] = np.array(trainer.options.temperature)
    return tensors


def _card(
    request: TrainRequest, options: Options, data: FormulaData, trainer: Trainer, seconds: float
) -> Card:
    """Measure what will be saved and write its card."""
    n_train = int((~data.held_out).sum())
    metrics = _metrics(request, options, data, trainer)
    plots = metrics.pop("plots")
    screened = f"valid by SMACT's rules with the table {options.table}" if options.screen else "all"
    return Card(
        name="matgan",
        version=__version__,
        model=f"screening.generation.matgan.model:{type(trainer.generator).__name__}",
        description=f"MatGAN: compositions sampled by a Wasserstein GAN ({options.network}), "
        f"trained on distinct formulas, {screened}",
        arguments=trainer.arguments(),
        hyperparameters=options.model_dump(),
        data=[request.source(path, n_train) for path in request.data],
        split={
            "by": "formula",
            "held_out_fraction": options.held_out,
            "n_train": n_train,
            "n_held_out": int(data.held_out.sum()),
            "n_distinct_in_files": data.n_distinct,
        },
        metrics=metrics,
        plots=plots,
        seed=request.seed,
        wall_time=seconds,
        device=device_name(request.device),
        packages=package_versions("numpy", "torch"),
        history={"matgan": columns(trainer.history)},
        references=["10.1038/s41524-020-00352-0", "arXiv:1704.00028", "arXiv:1611.01144"],
    )


def _metrics(
    request: TrainRequest, options: Options, data: FormulaData, trainer: Trainer
) -> dict[str, Any]:
    """Measure the weights as they are saved."""
    rules = Rules(table=options.table, samples=options.samples)
    reference = training_reference(data.formulas, data.held_out, rules)
    sampler = Sampler(trainer.rounded_generator(), options.temperature)
    measured = {
        "n": rules.samples,
        **sampler.settings(),
        **measure(sampler, reference, rules, seed=request.seed),
    }
    metrics: dict[str, Any] = plain_metrics(measured)
    return metrics
