"""Training of the order-free autoregressive model of compositions.

Maximum likelihood on distinct formulas without energies, each in a new random order of its elements
in every epoch. As for MatGAN, only formulas are trained on, by default, that are valid by the same
frozen oxidation-state table that the samples are judged by; the card says so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from screening import __version__
from screening.checkpoints import Card, save_checkpoint
from screening.generation.autoregressive.model import SetModel
from screening.generation.autoregressive.options import SetOptions
from screening.generation.autoregressive.sample import SetSampler
from screening.generation.data import FormulaData, load_formulas
from screening.generation.evaluate import measure, training_reference
from screening.generation.reference import Options as Rules
from screening.generation.representation import MAX_ELEMENTS, encode
from screening.identity import content_hash
from screening.training.curves import columns
from screening.training.data import fingerprints
from screening.training.environment import device_name, package_versions
from screening.training.loop import FitResult, LoopOptions, fit, seeded
from screening.training.request import parse_options, plain_metrics
from screening.training.state import clear_states, state_folder

STATE_EVERY = 60.0
"""Seconds between two states that an interrupted run can go on from."""

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor, nn

    from screening.composition import CompositionArray
    from screening.training.request import TrainRequest


def train_compositions(request: TrainRequest) -> Card:
    """Train the model and save its checkpoint; `SetOptions` lists what can be set.

    The state is kept in ``request.out`` while the training runs; a run that goes on from it ends
    with the same weights as one that was never interrupted.

    Raises
    ------
    InputError
        If an option or the data cannot be used, or `resume` finds a state of another training.
    """
    options = parse_options(SetOptions, request.options)
    data = load_formulas(request.data, options, request.seed)
    arguments = {name: getattr(options, name) for name in ("width", "depth", "amount_width")}
    with seeded(request.seed):
        model = SetModel(**arguments, dropout=options.dropout).to(request.device)
    result = _fit(model, request, options, data)
    half = {name: value.half() for name, value in model.state_dict().items()}
    rounded = SetModel(**arguments)
    rounded.load_state_dict({name: value.float().cpu() for name, value in half.items()})
    sampler = SetSampler(rounded, options.temperature, options.amount_temperature)
    rules = Rules(table=options.table, samples=options.samples)
    reference = training_reference(data.formulas, data.held_out, rules)
    measured = measure(sampler, reference, rules, seed=request.seed)
    metrics: dict[str, Any] = plain_metrics({"n": rules.samples, **sampler.settings(), **measured})
    card = _card(request, options, data, arguments=arguments, result=result, metrics=metrics)
    tensors: dict[str, NDArray[np.generic]] = {
        f"generator.{name}": value.cpu().numpy() for name, value in half.items()
    }
    temperatures = [options.temperature, options.amount_temperature]
    tensors["temperatures"] = np.array(temperatures)  # part of the model's identity
    seen = [f for f, out in zip(data.formulas, data.held_out, strict=True) if not out]
    tensors["seen_formulas"] = fingerprints(seen)
    saved = save_checkpoint(request.out, tensors, card)
    clear_states(request)
    return saved


def _fit(
    model: SetModel, request: TrainRequest, options: SetOptions, data: FormulaData
) -> FitResult:
    """Train `model` in place."""
    packed = pack(data.compositions[~data.held_out])
    elements, amounts = (part.to(request.device) for part in packed)
    others = [part.to(request.device) for part in pack(data.compositions[data.held_out])]

    def loss(module: nn.Module, rows: Tensor) -> Tensor:
        likelihood: Tensor = module(*shuffled(elements[rows], amounts[rows])).mean()
        return likelihood

    def held_out_loss(module: nn.Module) -> float:
        return float(module(*others).mean())

    loop = LoopOptions(
        epochs=options.epochs,
        batch_size=options.batch,
        learning_rate=options.learning_rate,
        weight_decay=options.weight_decay,
        warmup=0.1,
        clip_norm=1.0,
        ema=options.average or None,
        state_every=STATE_EVERY,
    )
    return fit(
        model,
        loss,
        len(elements),
        loop,
        seed=request.seed,
        watch=held_out_loss if len(others[0]) else None,
        state=state_folder(request) / "compositions.safetensors",
        key=content_hash(elements.cpu().numpy(), amounts.cpu().numpy(), options.dropout),
        label="compositions",
    )


def pack(compositions: CompositionArray) -> tuple[Tensor, Tensor]:
    """Write encodable compositions as the arguments of `SetModel.forward`."""
    cells = encode(compositions)
    row, element = np.nonzero(cells)
    n_elements = (cells > 0).sum(axis=1)
    place = np.arange(len(row)) - np.repeat(np.cumsum(n_elements) - n_elements, n_elements)
    elements = np.full((len(cells), MAX_ELEMENTS), -1, dtype=np.int64)
    amounts = np.zeros_like(elements)
    elements[row, place] = element
    amounts[row, place] = cells[row, element].astype(np.int64) - 1
    return torch.from_numpy(elements), torch.from_numpy(amounts)


def shuffled(elements: Tensor, amounts: Tensor) -> tuple[Tensor, Tensor]:
    """Put the pairs of each composition in a random order; the padding stays at the end."""
    keys = torch.rand(elements.shape, device=elements.device) + 2 * (elements < 0)
    order = keys.argsort(dim=1)
    return elements.gather(1, order), amounts.gather(1, order)


def _card(
    request: TrainRequest,
    options: SetOptions,
    data: FormulaData,
    *,
    arguments: dict[str, Any],
    result: FitResult,
    metrics: dict[str, Any],
) -> Card:
    n_train = int((~data.held_out).sum())
    plots = metrics.pop("plots")
    screened = f"valid by SMACT's rules with the table {options.table}" if options.screen else "all"
    return Card(
        name="compositions",
        version=__version__,
        model="screening.generation.autoregressive.model:SetModel",
        description="Compositions sampled by an order-free autoregressive model, trained on "
        f"distinct formulas, {screened}",
        arguments=arguments,
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
        seed=request.seed,
        wall_time=result.wall_time,
        device=device_name(request.device),
        packages=package_versions("numpy", "torch"),
        plots=plots,
        history={"compositions": columns(result.history)},
        references=["arXiv:1703.06114", "arXiv:1310.1757", "arXiv:1511.06391"],
    )
