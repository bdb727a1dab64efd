"""Training of contact maps and distance matrices: one code for both targets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.nn import functional

from screening import __version__
from screening.checkpoints import Card, load_checkpoint, save_checkpoint
from screening.errors import InputError
from screening.features.network import export, restore
from screening.identity import content_hash
from screening.metrics.contacts import covalent_contacts
from screening.prototypes.bank import Bank
from screening.schemas import CheckpointRef
from screening.structure.alphacrystal.alignment import arrange_all
from screening.structure.alphacrystal.data import prepare, select_rows
from screening.structure.alphacrystal.labels import bin_edges, vesta_contacts
from screening.structure.alphacrystal.model import (
    MODEL_CLASS,
    MapModel,
    centres_of,
    decode,
    predict_maps,
)
from screening.structure.alphacrystal.network import CONTACTS, make_network
from screening.structure.alphacrystal.options import MapOptions, subset_mask
from screening.structure.alphacrystal.pseudo_labels import further_crystals
from screening.structure.alphacrystal.scores import measure, measure_each
from screening.training.curves import columns
from screening.training.data import (
    STRUCTURE_COLUMNS,
    canonical_formulas,
    fingerprints,
    held_out,
    read_table,
    unseen,
)
from screening.training.environment import device_name, package_versions
from screening.training.loop import FitResult, fit, seeded
from screening.training.request import TrainRequest, parse_options, plain_metrics
from screening.training.state import clear_states, state_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import pandas as pd
    from numpy.typing import NDArray
    from torch import Tensor, nn

    from screening.checkpoints.card import DataSource
    from screening.structure.alphacrystal.data import Crystals

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
    start = load_checkpoint(options.start).tensors if options.start else None
    partner, partner_arguments = _templated(options)
    learned, watched, tested = _split(request, options, [*filter(None, (start, partner))])
    hidden = [*tested["formula"].tolist(), *watched["formula"].tolist()]
    bank = None if options.bank == "none" else Bank.load(options.bank).without(hidden)
    known = prepare(learned, bank, options.max_atoms)
    crystals, formulas = _with_further(request, options, bank, known, learned, hidden)
    curve = prepare(watched, None, options.max_atoms)
    network, result = _fit(request, options, crystals, curve, start)
    tensors = export(network, "network.")
    tensors |= {name: value for name, value in partner.items() if name.startswith("templated.")}
    seen = fingerprints([*formulas, *watched["formula"].tolist()])
    for other in filter(None, (start, partner)):
        seen = np.union1d(seen, other["seen_formulas"])
    tensors["seen_formulas"] = seen
    arguments = partner_arguments | {
        "network": options.network(),
        "limits": options.limits,
        "heads": options.heads,
        "max_atoms": options.max_atoms,
    }
    ref = CheckpointRef(name=request.out.name, version=__version__, sha256="")
    model = MapModel(arguments, tensors, ref)
    measured = prepare(tested, bank, options.max_atoms)
    card = Card(
        name=request.out.name,
        version=__version__,
        model=MODEL_CLASS,
        description="Contacts and distances of all pairs of atoms, from a composition.",
        arguments=arguments,
        hyperparameters=options.model_dump(),
        data=_sources(
            request, options, len(known) + len(watched) + len(tested), len(crystals) - len(known)
        ),
        split={
            "by": "formula, lowest energy of each",
            "test_fraction": options.test_fraction,
            "seed": request.seed,
            "n_train": len(known),
            "n_further": len(crystals) - len(known),
            "n_watched": len(watched),
            "n_test": len(measured),
        },
        metrics=plain_metrics(measure(model, known, measured, request.seed)),
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


def _split(
    request: TrainRequest, options: MapOptions, others: list[Mapping[str, NDArray[Any]]]
) -> list[pd.DataFrame]:
    """Rows that are learned, that are watched in training, and that are measured, by formula.

    What other checkpoints have seen whose weights are used is not measured.
    """
    table = read_table(request.data[0], STRUCTURE_COLUMNS)
    both = select_rows(table, options.max_atoms, metals=options.metals or options.learn_metals)
    both = both[subset_mask(both, options.subset)]
    test = held_out(both["formula"].tolist(), fraction=options.test_fraction, seed=request.seed)
    formulas = both["formula"].tolist()
    watched = held_out(formulas, fraction=options.watched, seed=request.seed + 1) & ~test
    known = ~test & ~watched
    for tensors in others:
        test &= unseen(formulas, tensors["seen_formulas"])
    learned, *rest = (both[rows] for rows in (known, watched, test))
    hidden = [select_rows(rows, options.max_atoms, metals=options.metals) for rows in rest]
    if not len(learned) or not len(hidden[-1]):
        raise InputError(
            f"{request.data[0]}: of {len(both)} usable crystals {int(test.sum())} are held out: "
            "give more data or another test_fraction"
        )
    return [learned, *hidden]


def _templated(
    options: MapOptions,
) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """Tensors and arguments of the network for crystals with templates, if one is named."""
    if not options.templated:
        return {}, {}
    checkpoint = load_checkpoint(options.templated)
    arguments = checkpoint.card.arguments
    if (arguments["network"]["n_bins"], tuple(arguments["limits"])) != (
        options.n_bins, options.limits,
    ):  # fmt: skip
        raise InputError(f"templated={options.templated!r} has other bins: give n_bins as there")
    prefix = "templated." if "templated" in arguments else "network."
    tensors = {
        name.replace(prefix, "templated.", 1): value
        for name, value in checkpoint.tensors.items()
        if name.startswith((prefix, "seen_formulas"))
    }
    return tensors, {"templated": arguments.get("templated", arguments["network"])}


def _with_further(  # noqa: PLR0917 - one step of the training
    request: TrainRequest,
    options: MapOptions,
    bank: Bank | None,
    known: Crystals,
    learned: pd.DataFrame,
    hidden: list[str],
) -> tuple[Crystals, list[str]]:
    """Add the crystals that the bank makes of a second file; gives all formulas, too."""
    formulas = learned["formula"].tolist()
    if len(request.data) != (2 if options.further else 1):
        raise InputError(
            f"{len(request.data)} files and further={options.further}: maps are trained on one "
            "structure table, and with further=N on N formulas of a second file"
        )
    if not options.further:
        return known, formulas
    if bank is None:
        raise InputError("further crystals are made by a bank: leave bank=none out")
    names = read_table(request.data[1], ("formula",))["formula"].unique().tolist()
    further, added = further_crystals(
        bank,
        canonical_formulas(names),
        options.further,
        max_atoms=options.max_atoms,
        without=[*formulas, *hidden],
        seed=request.seed,
    )
    return known.joined(further), formulas + added


def _sources(
    request: TrainRequest, options: MapOptions, rows: int, further: int
) -> list[DataSource]:
    """Describe the files, with those of the checkpoints whose weights are used."""
    counts = (rows, further)
    found = {
        path.name: request.source(path, count)
        for path, count in zip(request.data, counts, strict=False)
    }
    for name in filter(None, (options.start, options.templated)):
        for source in load_checkpoint(name).card.data:
            found.setdefault(source.name, source)
    return list(found.values())


def _fit(
    request: TrainRequest,
    options: MapOptions,
    crystals: Crystals,
    watched: Crystals,
    start: Mapping[str, NDArray[Any]] | None,
) -> tuple[nn.Module, FitResult]:
    sizes = None
    if options.architecture == "transformer":  # batches of one size spoil batch normalisation
        sizes = (crystals.inputs.numbers > 0).sum(dim=1).numpy()
    with seeded(request.seed):
        network = make_network(options.network())
    if start is not None:
        _start(network, start, options.start)
    network = network.to(request.device)
    result = fit(
        network,
        map_loss(crystals, options, request.device),
        len(crystals),
        options.loop(),
        seed=request.seed,
        sizes=sizes,
        watch=_watch(watched, options, request) if len(watched) else None,
        state=state_folder(request) / "maps.safetensors",
        key=content_hash(crystals.own, crystals.aligned, options.model_dump()),
        label="maps",
    )
    return network, result


def _watch(
    crystals: Crystals, options: MapOptions, request: TrainRequest
) -> Callable[[nn.Module], float]:
    """Make the metric of the training curve: the mean error of distances (Angstrom)."""
    inputs = crystals.inputs.to(request.device)
    centres = centres_of(options.n_bins, options.limits).to(request.device)

    def error(network: nn.Module) -> float:
        maps = predict_maps(network, centres, inputs)
        found, _ = measure_each({"composition": maps}, crystals, request.seed)
        return float(found["composition"]["rmse"])

    return error


def _start(network: nn.Module, tensors: Mapping[str, NDArray[Any]], name: str) -> None:
    """Take the weights of a checkpoint."""
    try:
        restore(network, dict(tensors), "network.")
    except (KeyError, RuntimeError) as error:
        raise InputError(
            f"start={name!r} has other weights than these options need: give the widths, layers "
            f"and bins that it was trained with ({error})"
        ) from None


def map_loss(
    crystals: Crystals, options: MapOptions, device: str
) -> Callable[[nn.Module, Tensor], Tensor]:
    """Make the loss of some crystals; in a share of them the templates are hidden.

    With templates the atoms are in the order of the first one, without in their own order; with
    ``exchange`` equal atoms are then exchanged so that the distances are nearest to the predicted.
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
        batch = inputs.rows(rows).masked(shown).trimmed()
        n = batch.numbers.shape[1]
        own, aligned = ({k: v[rows, :n, :n] for k, v in part.items()} for part in targets)
        pick = shown[:, None, None]
        distances = torch.where(pick, aligned["distances"], own["distances"])
        contacts = torch.where(pick[..., None], aligned["contacts"], own["contacts"])
        outputs = network(batch)
        if options.exchange:
            order = _exchanged(decode(outputs, centres, batch), distances, batch.numbers)
            distances, contacts = distances[order], contacts[order]
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


def _exchanged(predicted: Tensor, true: Tensor, numbers: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Index that exchanges equal atoms of targets ``(b, n, n)`` to fit the predicted distances."""
    fixed, moving = (values.detach().double().cpu().numpy() for values in (predicted, true))
    orders = arrange_all(fixed, moving, numbers.cpu().numpy())
    order = torch.from_numpy(orders).to(numbers.device)
    rows = torch.arange(len(order), device=order.device)[:, None, None]
    return rows, order[:, :, None], order[:, None]


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
