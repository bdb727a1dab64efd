"""Training of contact maps and distance matrices: one code for both targets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn import functional

from screening import __version__
from screening.checkpoints import Card, save_checkpoint
from screening.errors import InputError
from screening.features.network import export
from screening.identity import content_hash
from screening.metrics.contacts import covalent_contacts
from screening.schemas import CheckpointRef
from screening.structure.bank import Bank
from screening.structure.maps.data import prepare, select_rows
from screening.structure.maps.model import MODEL_CLASS, MapModel, centres_of, decode
from screening.structure.maps.network import CONTACTS, make_network
from screening.structure.maps.options import MapOptions, subset_mask
from screening.structure.maps.scores import measure
from screening.structure.maps.targets import bin_edges, vesta_contacts
from screening.training.curves import columns
from screening.training.data import STRUCTURE_COLUMNS, describe, fingerprints, held_out, read_table
from screening.training.environment import device_name, package_versions
from screening.training.loop import FitResult, fit, seeded
from screening.training.request import TrainRequest, parse_options, plain_metrics
from screening.training.state import clear_states, state_folder

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray
    from torch import Tensor, nn

    from screening.structure.maps.data import Crystals

REFERENCES = [
    "10.1021/acsomega.3c03115",
    "10.1038/s41586-021-03819-2",
]
_SLACK = 0.5
"""Errors of distances (Angstrom) above which the loss grows linearly."""


def train_contact_map(request: TrainRequest) -> Card:
    """Train AlphaCrystal's contact maps; `MapOptions` lists what can be set.

    Raises
    ------
    InputError
        If the data or the options cannot be used.
    """
    return _train(request, "contact")


def train_distance_matrix(request: TrainRequest) -> Card:
    """Train AlphaCrystal-II's distance matrices; as `train_contact_map`."""
    return _train(request, "distance")


def _train(request: TrainRequest, head: str) -> Card:
    options = parse_options(MapOptions, {"heads": head} | request.options)
    if len(request.data) != 1:
        raise InputError(f"{len(request.data)} files: maps are trained on one structure table")
    table = read_table(request.data[0], STRUCTURE_COLUMNS)
    table = select_rows(table, options.max_atoms, metals=options.metals)
    table = table[subset_mask(table, options.subset)]
    test = held_out(table["formula"].tolist(), fraction=options.test_fraction, seed=request.seed)
    if test.all() or not test.any():
        raise InputError(
            f"{request.data[0]}: of {len(table)} usable crystals {int(test.sum())} are held out: "
            "give more data or another test_fraction"
        )
    hidden = table["formula"][test].tolist()
    bank = None if options.bank == "none" else Bank.load(options.bank).without(hidden)
    crystals = prepare(table[~test], bank, options.max_atoms)
    network, result = _fit(request, options, crystals)
    tensors = export(network, "network.")
    tensors["seen_formulas"] = fingerprints(table["formula"][~test].tolist())
    arguments = {
        "network": options.network(),
        "limits": options.limits,
        "heads": options.heads,
        "max_atoms": options.max_atoms,
    }
    ref = CheckpointRef(name=request.out.name, version=__version__, sha256="")
    model = MapModel(arguments, tensors, ref)
    measured = prepare(table[test], bank, options.max_atoms)
    card = Card(
        name=request.out.name,
        version=__version__,
        model=MODEL_CLASS,
        description="Contacts and distances of all pairs of atoms, from a composition.",
        arguments=arguments,
        hyperparameters=options.model_dump(),
        data=[describe(request.data[0], len(table))],
        split={
            "by": "formula, lowest energy of each",
            "test_fraction": options.test_fraction,
            "seed": request.seed,
            "n_train": len(crystals),
            "n_test": len(measured),
        },
        metrics=plain_metrics(measure(model, crystals, measured, request.seed)),
        history={"maps": columns(result.history)},
        seed=request.seed,
        wall_time=result.wall_time,
        device=device_name(request.device),
        packages=package_versions("numpy", "torch"),
        references=REFERENCES,
    )
    card = save_checkpoint(request.out, tensors, card)
    clear_states(request)
    return card


def _fit(
    request: TrainRequest, options: MapOptions, crystals: Crystals
) -> tuple[nn.Module, FitResult]:
    with seeded(request.seed):
        network = make_network(options.network()).to(request.device)
    result = fit(
        network,
        map_loss(crystals, options, request.device),
        len(crystals),
        options.loop(),
        seed=request.seed,
        state=state_folder(request) / "maps.safetensors",
        key=content_hash(crystals.own, crystals.aligned, options.model_dump()),
        label="maps",
    )
    return network, result


def map_loss(
    crystals: Crystals, options: MapOptions, device: str
) -> Callable[[nn.Module, Tensor], Tensor]:
    """Make the loss of some crystals; in a share of them the templates are hidden.

    With templates the atoms are in the order of the first one, without in their own order.
    """
    inputs = crystals.inputs.to(device)
    numbers = crystals.inputs.numbers.numpy()
    targets = [
        {
            "distances": torch.from_numpy(distances).to(device),
            "contacts": _contacts(distances, numbers).to(device),
        }
        for distances in (crystals.own, crystals.aligned)
    ]
    edges = torch.tensor(bin_edges(options.n_bins, options.limits)[1:-1], dtype=torch.float32)
    edges, centres = edges.to(device), centres_of(options.n_bins, options.limits).to(device)
    known = crystals.inputs.crystals[:, 0].bool().to(device)

    def loss(network: nn.Module, rows: Tensor) -> Tensor:
        shown = known[rows] & (torch.rand(len(rows), device=device) >= options.hidden)
        batch = inputs.rows(rows).masked(shown)
        own, aligned = ({k: v[rows] for k, v in part.items()} for part in targets)
        pick = shown[:, None, None]
        distances = torch.where(pick, aligned["distances"], own["distances"])
        contacts = torch.where(pick[..., None], aligned["contacts"], own["contacts"])
        outputs = network(batch)
        value = torch.zeros_like(distances)
        if "contact" in options.heads:
            logits = outputs[..., :CONTACTS]
            errors = functional.binary_cross_entropy_with_logits(logits, contacts, reduction="none")
            value = value + errors.sum(dim=-1)
        if "distance" in options.heads:
            right = torch.bucketize(distances, edges)
            logits = outputs[..., CONTACTS:-2].permute(0, 3, 1, 2)
            value = value + 0.3 * functional.cross_entropy(logits, right, reduction="none")
            value = value + functional.smooth_l1_loss(
                decode(outputs, centres, batch), distances, reduction="none", beta=_SLACK
            )
        return _mean_over_pairs(value, batch.numbers > 0)

    return loss


def _contacts(distances: NDArray[np.float32], numbers: NDArray[np.int64]) -> Tensor:
    """Contacts by both rules, float32 ``(s, n, n, 2)``."""
    rules = [rule(distances, numbers) for rule in (covalent_contacts, vesta_contacts)]
    return torch.from_numpy(np.stack(rules, axis=-1).astype(np.float32))


def _mean_over_pairs(value: Tensor, mask: Tensor) -> Tensor:
    """Mean over pairs of distinct atoms; a crystal counts as the root of its number of pairs."""
    pairs = (mask[:, :, None] & mask[:, None]).float().tril(-1)
    counts = pairs.sum(dim=(1, 2)).clamp(min=1)
    own = (value * pairs).sum(dim=(1, 2)) / counts
    return (own * counts.sqrt()).sum() / counts.sqrt().sum()
