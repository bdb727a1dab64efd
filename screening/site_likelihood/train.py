"""Training of the site networks."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field, field_validator
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy, one_hot

from screening.checkpoints import Card, save_checkpoint
from screening.elements import MAX_Z
from screening.errors import InputError
from screening.identity import content_hash
from screening.prototypes.bank import Bank
from screening.site_likelihood.data import SiteTable, read_sites
from screening.site_likelihood.likelihood import SITE_CLASS, SiteLikelihood
from screening.site_likelihood.metrics import site_metrics
from screening.site_likelihood.network import Autoencoder, SiteNetwork
from screening.site_likelihood.site_descriptors import fingerprints
from screening.training.data import fingerprints as formula_fingerprints
from screening.training.data import held_out
from screening.training.environment import device_name, package_versions
from screening.training.loop import LoopOptions, fit, seeded
from screening.training.request import parse_options
from screening.training.state import clear_states, state_folder

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray
    from torch import Tensor, nn

    from screening.training.request import TrainRequest

REFERENCES = ["10.1021/jacs.8b03913", "10.48550/arXiv.1312.6114"]
EXAMPLES = 10_000
"""Sites from which the first offset and scale of the fingerprints are estimated."""
POSITIVE_WEIGHT = 118.0
"""Weight of the element that is there, for the sigmoid classifier."""
DECODED = 4
"""One of so many fingerprints of a batch is reconstructed."""


class SiteOptions(BaseModel):
    """Options of ``screening train site-likelihood --set NAME=VALUE``."""

    model_config = ConfigDict(extra="forbid")

    classifier: Literal["softmax", "sigmoid"] = Field(
        "softmax", description="Output of the site classifier: one element, or each by itself"
    )
    latent: int = Field(64, ge=1, description="Latent variables")
    channels: tuple[int, ...] = Field((32, 64, 96, 128), description="Of the convolutions")
    width: int = Field(256, ge=8, description="Width of the classifiers")
    latent_size: bool = Field(True, description="Give the size classifier the latent variables")
    dropout: float = Field(0.05, ge=0, lt=1, description="Dropout")
    oversampling: float = Field(
        0.0, ge=0, le=1, description="0: sites as they are; 1: each element equally often"
    )
    vae_weight: float = Field(2e-3, ge=0, description="Weight of the autoencoder's loss")
    epochs: int = Field(12, ge=1, description="Passes over the sites")
    batch_size: int = Field(256, ge=2, description="Sites per step")
    learning_rate: float = Field(2e-3, gt=0, description="Peak of the schedule")
    schedule: Literal["one-cycle", "cosine", "constant"] = Field(
        "one-cycle", description="Course of the learning rate"
    )
    weight_decay: float = Field(2e-2, ge=0, description="Weight decay of AdamW")
    ema: float = Field(0.998, ge=0, lt=1, description="Decay of the averaged weights")
    bank: str = Field(
        "prototypes", description="Bank whose sites are kept in the checkpoint; empty: none"
    )
    test_fraction: float = Field(0.1, gt=0, lt=0.9, description="Share of formulas held out")

    @field_validator("channels", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        """Take ``32,64,96`` from the command line."""
        return value.split(",") if isinstance(value, str) else value

    def arguments(self) -> dict[str, Any]:
        """Arguments of the network."""
        names = {"latent", "width", "channels", "dropout", "latent_size"}
        return self.model_dump(include=names, mode="json")

    def loop(self) -> LoopOptions:
        """Hyperparameters of the loop."""
        names = {
            "epochs", "batch_size", "learning_rate", "schedule", "weight_decay", "ema",
        }  # fmt: skip
        return LoopOptions(**self.model_dump(include=names))


def train_sites(request: TrainRequest) -> Card:
    """Train the networks, measure them on held-out formulas and save the checkpoint.

    Raises
    ------
    InputError
        If the data or an option cannot be used, or `resume` finds a state of another training.
    """
    options = parse_options(SiteOptions, request.options)
    if not request.data:
        raise InputError("no data: give at least one parquet file with structures")
    start = time.monotonic()
    table, rows = read_sites(request.data)
    test = held_out(table.formulas, fraction=options.test_fraction, seed=request.seed)
    test_sites = test[table.sites.crystals]
    sources = [request.source(path, n) for path, n in zip(request.data, rows, strict=True)]
    key = content_hash([source.sha256 for source in sources], options.model_dump(exclude={"bank"}))
    network = _fit(table, np.flatnonzero(~test_sites), options, request, key)
    tensors = {
        name: value.half().numpy() if value.is_floating_point() else value.numpy()
        for name, value in network.state_dict().items()
    }
    tensors["seen_formulas"] = formula_fingerprints(
        [f for f, hidden in zip(table.formulas, test, strict=True) if not hidden]
    )
    arguments = {"network": options.arguments(), "classifier": options.classifier}
    card = Card(
        name=request.out.name,
        version="1",
        model=SITE_CLASS,
        description="Which elements suit a crystallographic site, from its geometry alone",
        arguments=arguments,
        hyperparameters=options.model_dump(mode="json"),
        data=sources,
        split={
            "by": "reduced formula",
            "test_fraction": options.test_fraction,
            "seed": request.seed,
            "n_train": int((~test_sites).sum()),
            "n_test": int(test_sites.sum()),
        },
        metrics={},
        seed=request.seed,
        wall_time=0.0,
        device=device_name(request.device),
        packages=package_versions("numpy", "torch", "numba"),
        references=REFERENCES,
    )
    model = SiteLikelihood(arguments, tensors, card.ref())
    metrics = site_metrics(model, table.sites, np.flatnonzero(test_sites), seed=request.seed)
    if options.bank:
        tensors |= model.cache_of(Bank.load(options.bank)).to_tensors()
    card = card.model_copy(update={"metrics": metrics, "wall_time": time.monotonic() - start})
    card = save_checkpoint(request.out, tensors, card)
    clear_states(request)
    return card


def _fit(
    table: SiteTable,
    rows: NDArray[np.int64],
    options: SiteOptions,
    request: TrainRequest,
    key: str,
) -> SiteNetwork:
    """Train on the sites `rows`; returns the network without the decoder, on the CPU."""
    if not len(rows):
        raise InputError("no site is left to train on: give more data or a smaller test_fraction")
    with seeded(request.seed):
        network = SiteNetwork(**options.arguments())
        model = Autoencoder(network, options.latent, options.channels, options.dropout)
        for layer in model.modules():
            if isinstance(layer, (torch.nn.Linear, torch.nn.Conv1d, torch.nn.ConvTranspose1d)):
                torch.nn.init.xavier_uniform_(layer.weight)
    examples = np.random.default_rng(request.seed).permutation(rows)[:EXAMPLES]
    network.standardise(torch.from_numpy(fingerprints(table.sites, examples)))
    fit(
        model.to(request.device),
        _loss(table, rows, options, request.device),
        len(rows),
        options.loop(),
        seed=request.seed,
        state=state_folder(request) / "sites.safetensors",
        key=key,
        label="site-likelihood",
    )
    return network.cpu().eval()


def _loss(
    table: SiteTable, rows: NDArray[np.int64], options: SiteOptions, device: str
) -> Callable[[nn.Module, Tensor], Tensor]:
    """Loss of a batch: the autoencoder's, the site classifier's and the size classifier's.

    Every time a site is seen, its fingerprint is made anew. With oversampling, the batch is drawn
    by the elements' weights, in place of the rows that the loop gives.
    """
    sites = table.sites
    species = sites.species[rows]
    amounts = np.bincount(species, minlength=MAX_Z + 1).astype(np.float64)
    weights = torch.from_numpy(amounts[species] ** -options.oversampling)

    def loss(model: nn.Module, batch: Tensor) -> Tensor:
        assert isinstance(model, Autoencoder)
        if options.oversampling:
            batch = torch.multinomial(weights, len(batch), replacement=True)
        chosen = rows[batch.cpu().numpy()]
        seed = int(torch.randint(2**31 - 1, (1,)))
        x = torch.from_numpy(fingerprints(sites, chosen, seed=seed)).to(device)
        ratios = torch.from_numpy(sites.ratios[chosen]).float().to(device)
        nearest = torch.from_numpy(sites.nearest[chosen]).float().to(device)
        truth = torch.from_numpy(sites.species[chosen]).to(device)
        mean, log_variance = model.network.encode(x)
        latent = mean + (0.5 * log_variance).exp() * torch.randn_like(mean)
        logits = model.network.classify(latent, ratios)
        refined = model.network.refine(latent, logits, nearest)
        total = _site_loss(logits, truth, options.classifier) + cross_entropy(refined, truth)
        if options.vae_weight:
            part = slice(None, None, DECODED)
            bound = model.loss(x[part], latent[part], mean[part], log_variance[part])
            total = total + options.vae_weight * bound
        return total

    return loss


def _site_loss(logits: Tensor, truth: Tensor, classifier: str) -> Tensor:
    """Cross entropy of the site classifier; of the sigmoids, a sum over the elements."""
    if classifier == "softmax":
        return cross_entropy(logits, truth)
    positive = torch.tensor(POSITIVE_WEIGHT, device=logits.device)
    each = binary_cross_entropy_with_logits(
        logits,
        one_hot(truth, logits.shape[1]).to(logits.dtype),
        pos_weight=positive,
        reduction="none",
    )
    return each.sum(dim=1).mean() / POSITIVE_WEIGHT
