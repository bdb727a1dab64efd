"""Training of the masked transformer: ``screening train transformer``."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING

import numpy as np
import torch

from screening import __version__
from screening.checkpoints import Card, load_checkpoint, save_checkpoint
from screening.crystal.crystals import structure_of, to_structure
from screening.errors import InputError
from screening.features.network import export, restore
from screening.identity import content_hash
from screening.metrics.matching import rms_distance
from screening.prototypes.build import cells_of_table
from screening.structure.transformer.data import Tokens, tokenise
from screening.structure.transformer.decode import Given, decode, group_chances
from screening.structure.transformer.loss import masked_loss
from screening.structure.transformer.model import MODEL_CLASS, count_units
from screening.structure.transformer.network import CrystalTransformer
from screening.structure.transformer.options import TransformerOptions
from screening.training.curves import columns
from screening.training.data import (
    STRUCTURE_COLUMNS,
    canonical_formulas,
    fingerprints,
    held_out,
    read_table,
)
from screening.training.environment import device_name, package_versions
from screening.training.loop import FitResult, fit, seeded
from screening.training.request import TrainRequest, parse_options
from screening.training.state import clear_states, read_state, state_folder, write_state

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pandas as pd
    from torch import nn

REFERENCES = ["arXiv:2606.22866", "10.18653/v1/2020.findings-emnlp.379", "arXiv:2002.05202"]


def train_transformer(request: TrainRequest) -> Card:
    """Train a transformer; `TransformerOptions` lists what can be set.

    A finished training goes on with the option ``start``, which names its checkpoint.

    Raises
    ------
    InputError
        If the data or the options cannot be used.
    """
    options = parse_options(TransformerOptions, request.options)
    if len(request.data) != 1:
        raise InputError(f"{len(request.data)} files: the transformer takes one structure table")
    train, check = _split(request, options)
    folder = state_folder(request)
    source = request.source(request.data[0], len(train))
    tokens = _tokens(folder / "tokens.safetensors", train, options, request.seed, source.sha256)
    network = _network(options, request)
    result = fit(
        network,
        masked_loss(tokens, options, request.device),
        len(tokens),
        options.loop(),
        seed=request.seed,
        validate=validator(check),
        sizes=tokens.sizes,
        state=folder / "transformer.safetensors",
        key=content_hash(source.sha256, options.model_dump()),
        label="transformer",
    )
    tensors = export(network.cpu(), "network.")
    tensors["seen_formulas"] = fingerprints(sorted({*train["formula"], *check["formula"]}))
    tensors["unit_counts"] = count_units(tokens.numbers, options.max_atoms)
    split = {
        "by": "formula",
        "test_fraction": options.test_fraction,
        "seed": request.seed,
        "n_train": len(tokens),
        "n_validated": len(check),
    }
    card = Card(
        name=request.out.name,
        version=__version__,
        model=MODEL_CLASS,
        description="Crystals of compositions, by a masked transformer.",
        arguments={"network": options.network(), "max_atoms": options.max_atoms},
        hyperparameters=options.model_dump(),
        data=[source],
        split=split,
        metrics=_metrics(network, result, len(check)),
        history={"transformer": columns(result.history)},
        seed=request.seed,
        wall_time=result.wall_time,
        device=device_name(request.device),
        packages=package_versions("numpy", "torch", "spglib"),
        references=REFERENCES,
    )
    card = save_checkpoint(request.out, tensors, card)
    clear_states(request)
    return card


def _split(request: TrainRequest, options: TransformerOptions) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Choose the crystals to train on, and those to validate with: one of each formula."""
    table = read_table(request.data[0], STRUCTURE_COLUMNS).reset_index(drop=True)
    formulas = canonical_formulas(table["formula"].tolist())
    table = table.assign(formula=formulas)
    test = held_out(formulas, fraction=options.test_fraction, seed=request.seed)
    checked = (
        held_out(formulas, fraction=options.validation_fraction, seed=request.seed + 1) & ~test
    )
    usable = table["n_sites"].to_numpy() <= options.max_atoms
    train, check = table[~test & ~checked & usable], table[checked & usable]
    check = check.drop_duplicates("formula").iloc[: options.validated]
    if not len(train) or not len(check):
        raise InputError(
            f"{request.data[0]}: {len(train)} crystals to train on and {len(check)} to validate: "
            "give more data, or other fractions"
        )
    return train, check


def _metrics(network: nn.Module, result: FitResult, n: int) -> dict[str, float]:
    return {
        "validation_match": 1 - result.metric,
        "n": n,
        "parameters": sum(p.numel() for p in network.parameters()),
        "epochs": result.epochs,
    }


def _network(options: TransformerOptions, request: TrainRequest) -> nn.Module:
    """Make the network with its initial weights, or those of the checkpoint to start from."""
    with seeded(request.seed):
        network = CrystalTransformer(**options.network())
    if options.start:
        try:
            restore(network, load_checkpoint(options.start).tensors, "network.")
        except (KeyError, RuntimeError) as error:
            raise InputError(
                f"start={options.start!r} has other weights than width={options.width} and "
                f"layers={options.layers} need: give the options that it was trained with ({error})"
            ) from None
    return network.to(request.device)


def _tokens(
    path: Path, train: pd.DataFrame, options: TransformerOptions, seed: int, digest: str
) -> Tokens:
    """Read the tokens that an interrupted training left, or make them."""
    names = [item.name for item in fields(Tokens)]
    key = content_hash(digest, options.max_atoms, options.settings, seed, len(train))
    if path.is_file():
        tensors, text = read_state(path, torch.device("cpu"))
        if text == key:
            return Tokens(*(tensors[name].numpy() for name in names))
    tokens, _ = tokenise(train, options.max_atoms, options.settings, seed)
    write_state(path, {name: torch.from_numpy(getattr(tokens, name)) for name in names}, key)
    return tokens


def validator(table: pd.DataFrame) -> Callable[[nn.Module], float]:
    """Make the metric: the share of crystals that the likeliest decoding does not match."""
    cells = [cell for cell in cells_of_table(table)[0] if not isinstance(cell, str)]
    references = [structure_of(cell) for cell in cells]
    counts = [
        {int(z): int(n) for z, n in zip(*np.unique(cell[2], return_counts=True), strict=True)}
        for cell in cells
    ]

    def metric(network: nn.Module) -> float:
        device = next(network.parameters()).device
        network.cpu()
        chances = group_chances(network, counts)
        given = [
            Given(own, int(row.argmax()) + 1) for own, row in zip(counts, chances, strict=True)
        ]
        decoded = decode(network, given, np.random.default_rng(0))
        network.to(device)
        distances = [
            rms_distance(reference, to_structure(item.crystal), "loose")
            for reference, item in zip(references, decoded, strict=True)
        ]
        return float(np.isnan(distances).mean())

    return metric
