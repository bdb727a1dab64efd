"""Training of Cond-CDVAE on structures, and on structures under pressure where they are given."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from screening import __version__
from screening.checkpoints import Card, save_checkpoint
from screening.errors import InputError
from screening.features.network import export
from screening.identity import content_hash
from screening.structure.cdvae.data import Batch, cells_of, read_crystals
from screening.structure.cdvae.model import MODEL_CLASS
from screening.structure.cdvae.network import CondCdvae, make_network
from screening.structure.cdvae.options import CdvaeOptions
from screening.training.curves import columns
from screening.training.data import canonical_formulas, fingerprints, held_out
from screening.training.environment import device_name, package_versions
from screening.training.loop import fit, seeded
from screening.training.request import TrainRequest, parse_options, plain_metrics
from screening.training.state import clear_states, state_folder

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pandas as pd
    from torch import Tensor, nn

REFERENCES = [
    "10.1038/s41524-024-01443-y",
    "10.48550/arXiv.2110.06197",
    "10.48550/arXiv.2102.03150",
    "10.48550/arXiv.1907.05600",
]
_CHUNK = 64
_WATCHED = 512


def train_cdvae(request: TrainRequest) -> Card:
    """Train the networks; `CdvaeOptions` lists what can be set.

    A second file may hold structures under pressure (``screening train pressure-data``).

    Raises
    ------
    InputError
        If the data or the options cannot be used.
    """
    options = parse_options(CdvaeOptions, request.options)
    table = read_crystals(request.data, options.max_atoms, options.max_pressure)
    test = held_out(table["formula"].tolist(), fraction=options.test_fraction, seed=request.seed)
    test |= table["formula"].isin(canonical_formulas(options.exclude)).to_numpy()
    if test.all() or not test.any():
        raise InputError(
            f"of {len(table)} usable crystals {int(test.sum())} are held out: give more data or "
            "another test_fraction"
        )
    known, measured = (_batch(table[part]) for part in (~test, test))
    with seeded(request.seed):
        network = make_network(options.network())
    network.standardise(known.statistics())
    network = network.to(request.device)
    result = fit(
        network,
        cdvae_loss(known, options, request.device),
        len(known),
        options.loop(),
        seed=request.seed,
        watch=lambda trained: _watched(trained, measured, options, request.seed),
        sizes=(known.numbers > 0).sum(dim=1).numpy(),
        state=state_folder(request) / "cdvae.safetensors",
        key=content_hash(known.points.numpy(), known.pressures.numpy(), options.model_dump()),
        label="cond-cdvae",
    )
    network = network.cpu()
    tensors = export(network, "network.")
    tensors["seen_formulas"] = fingerprints(table["formula"][~test].tolist())
    card = Card(
        name=request.out.name,
        version=__version__,
        model=MODEL_CLASS,
        description="Crystals of a composition at a pressure, from a diffusion autoencoder.",
        arguments={"network": options.network(), "max_atoms": options.max_atoms},
        hyperparameters=options.model_dump(),
        data=[request.source(path, _usable(path, options)) for path in request.data],
        split={
            "by": "formula",
            "test_fraction": options.test_fraction,
            "seed": request.seed,
            "n_train": len(known),
            "n_test": len(measured),
            "n_under_pressure": int((known.pressures > 0).sum()),
        },
        metrics=plain_metrics(held_out_losses(network, measured, request.seed)),
        history={"cdvae": columns(result.history)},
        seed=request.seed,
        wall_time=result.wall_time,
        device=device_name(request.device),
        packages=package_versions("numpy", "torch"),
        references=REFERENCES,
    )
    card = save_checkpoint(request.out, tensors, card)
    clear_states(request)
    return card


def _usable(path: Path, options: CdvaeOptions) -> int:
    """Count the rows of a file that are used."""
    return len(read_crystals([path], options.max_atoms, options.max_pressure))


def _batch(table: pd.DataFrame) -> Batch:
    return Batch.of_cells(cells_of(table), table["pressure"].tolist())


def _watched(network: nn.Module, crystals: Batch, options: CdvaeOptions, seed: int) -> float:
    """Weighted loss of the first held-out crystals, for the training curve."""
    assert isinstance(network, CondCdvae)
    device = network.get_buffer("sigmas").device.type
    few = crystals.rows(torch.arange(min(_WATCHED, len(crystals)))).to(device)
    parts = held_out_losses(network, few, seed)
    return sum(weight * parts[name] for name, weight in options.weights().items())


def cdvae_loss(
    crystals: Batch, options: CdvaeOptions, device: str
) -> Callable[[nn.Module, Tensor], Tensor]:
    """Make the loss of some crystals; the true lattice is taught for the first steps."""
    crystals = crystals.to(device)
    per_epoch = max(1, len(crystals) // min(options.batch_size, len(crystals)))
    weights = options.weights()
    taught = options.teacher * options.epochs * per_epoch

    def loss(network: nn.Module, rows: Tensor) -> Tensor:
        assert isinstance(network, CondCdvae)
        steps = network.get_buffer("steps")  # a buffer, so that a resumed training knows it
        parts = network.losses(crystals.rows(rows), teacher=int(steps) < taught)
        steps += 1
        total = torch.zeros((), device=device)
        for name, weight in weights.items():
            total = total + weight * getattr(parts, name)
        return total

    return loss


@torch.no_grad()
def held_out_losses(network: CondCdvae, crystals: Batch, seed: int) -> dict[str, float]:
    """Losses on crystals that were not trained on, in the predicted lattice, without weights.

    ``still`` is what ``coordinates`` would be without any network: see `Losses`.
    """
    network.eval()
    names = ("lattice", "coordinates", "still", "divergence")
    totals = dict.fromkeys(names, 0.0)
    with seeded(seed):
        for rows in torch.arange(len(crystals)).split(_CHUNK):
            parts = network.losses(crystals.rows(rows), teacher=False)
            for name in names:
                totals[name] += float(getattr(parts, name)) * len(rows)
    return {"n": float(len(crystals))} | {k: v / len(crystals) for k, v in totals.items()}
