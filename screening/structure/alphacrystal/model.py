"""The trained model: maps of a composition, with or without templates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import torch

from screening.checkpoints import load_checkpoint
from screening.features.network import restore
from screening.structure.alphacrystal.labels import bin_edges
from screening.structure.alphacrystal.network import CONTACTS, make_network
from screening.structure.alphacrystal.templates import DISTANCE_UNIT, MEAN_DISTANCE

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import nn

    from screening.schemas import CheckpointRef
    from screening.structure.alphacrystal.data import Batch

MODEL_CLASS = "screening.structure.alphacrystal.model:MapModel"
HEADS = ("contact", "distance")
_CHUNK = 256


@dataclass(frozen=True)
class Maps:
    """Predictions for ``b`` crystals padded to ``n`` atoms.

    Attributes
    ----------
    contacts
        Probability that a pair is in contact by the covalent radii, float32 ``(b, n, n)``.
    vesta
        The same by VESTA's longest bonds.
    distances
        Expected distance between nearest images (Angstrom), float32 ``(b, n, n)``.
    """

    contacts: NDArray[np.float32]
    vesta: NDArray[np.float32]
    distances: NDArray[np.float32]


def decode(outputs: torch.Tensor, centres: torch.Tensor, batch: Batch) -> torch.Tensor:
    """Give expected distances (Angstrom): the mean over bins or templates, and the offset."""
    own = outputs[..., CONTACTS:-2].softmax(dim=-1) @ centres
    copied = batch.pairs[..., MEAN_DISTANCE].to(own) * DISTANCE_UNIT
    share = outputs[..., -1].sigmoid() * batch.crystals[:, 0].to(own)[:, None, None]
    return own + share * (copied - own) + outputs[..., -2]


class MapModel:
    """Contact maps and distances of compositions.

    Parameters
    ----------
    arguments
        ``network``: arguments of `make_network`; ``limits``: range of the bins (Angstrom);
        ``heads``: which of `HEADS` were trained; ``max_atoms``: most atoms in training;
        ``templated``, if there is one: the network of crystals with templates.
    tensors
        Weights, and fingerprints of the formulas that they were trained on.
    ref
        The checkpoint.
    """

    def __init__(
        self, arguments: dict[str, Any], tensors: dict[str, NDArray[Any]], ref: CheckpointRef
    ) -> None:
        self.ref = ref
        self.heads: tuple[str, ...] = tuple(arguments["heads"])
        self.max_atoms: int = arguments["max_atoms"]
        self.seen_formulas: NDArray[np.uint32] = tensors["seen_formulas"]
        self.centres = centres_of(arguments["network"]["n_bins"], arguments["limits"])
        self.network = make_network(arguments["network"])
        restore(self.network, tensors, "network.")
        self.templated = self.network
        if "templated" in arguments:
            self.templated = make_network(arguments["templated"])
            restore(self.templated, tensors, "templated.")

    @classmethod
    def load(cls, checkpoint: str = "maps") -> Self:
        """Load a checkpoint by name or path.

        Raises
        ------
        CheckpointError
            If it is missing, damaged, or of another kind.
        """
        return load_checkpoint(checkpoint).build(cls, "contact-map")

    def predict(self, inputs: Batch) -> Maps:
        """Predict all pairs of some crystals."""
        plain = predict_maps(self.network, self.centres, inputs)
        shown = (inputs.crystals[:, 0] > 0).numpy()[:, None, None]
        if self.templated is self.network or not shown.any():
            return plain
        other = predict_maps(self.templated, self.centres, inputs)
        names = ("contacts", "vesta", "distances")
        return Maps(*(np.where(shown, getattr(other, n), getattr(plain, n)) for n in names))


def predict_maps(network: nn.Module, centres: torch.Tensor, inputs: Batch) -> Maps:
    """Predict all pairs of some crystals with a network in eval mode."""
    parts = []
    with torch.no_grad():
        for rows in torch.arange(len(inputs.numbers)).split(_CHUNK):
            batch = inputs.rows(rows)
            outputs = network(batch)
            contacts = outputs[..., :CONTACTS].sigmoid()
            distances = decode(outputs, centres, batch)[..., None]
            parts.append(torch.cat([contacts, distances], dim=-1))
    values = torch.cat(parts).cpu().numpy()
    return Maps(values[..., 0], values[..., 1], values[..., 2])


def centres_of(n_bins: int, limits: tuple[float, float]) -> torch.Tensor:
    """Centres of the bins (Angstrom), shape ``(n_bins,)``."""
    edges = bin_edges(n_bins, limits)
    return torch.tensor((edges[1:] + edges[:-1]) / 2, dtype=torch.float32)
