"""The networks: a transformer on atoms and pairs, and the papers' residual network.

Both give, for each pair of atoms, the logits of a contact by two rules, the logits of bins of
distances, an offset (Angstrom) that is added to the expected distance, and how much of that is
taken from the templates instead (logit).

The transformer carries a vector for each pair that biases the attention of the atoms and is itself
updated from them and from the triangles that it closes (Jumper et al. 2021,
doi:10.1038/s41586-021-03819-2). The residual network is that of AlphaCrystal: a one-dimensional
tower on atoms, outer concatenation, a two-dimensional tower on pairs.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from screening.crystal.distances import covalent_radii
from screening.elements import MAX_Z, column
from screening.errors import InputError
from screening.features.alphacrystal import element_features
from screening.structure.alphacrystal.templates import (
    COVALENT_SHARE,
    CRYSTAL_CHANNELS,
    PAIR_CHANNELS,
    VESTA_SHARE,
)

if TYPE_CHECKING:
    from screening.structure.alphacrystal.data import Batch

MAX_RANK = 24
CONTACTS = 2
"""Contacts by covalent radii, and by VESTA's bonds."""


def make_network(arguments: dict[str, Any]) -> nn.Module:
    """Build the network that ``arguments["architecture"]`` names.

    Raises
    ------
    InputError
        If there is no such architecture.
    """
    kinds: dict[str, type[nn.Module]] = {
        "transformer": PairTransformer,
        "residual": ResidualNetwork,
    }
    rest = {key: value for key, value in arguments.items() if key != "architecture"}
    name = arguments["architecture"]
    if name not in kinds:
        raise InputError(f"unknown architecture {name!r}: use one of {sorted(kinds)}")
    return kinds[name](**rest)


class Head(nn.Module):
    """Outputs of a pair, made symmetric: ``(b, n, n, 4 + n_bins)``."""

    def __init__(self, width: int, n_bins: int) -> None:
        super().__init__()
        self.out = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, width), nn.GELU(), nn.Linear(width, 4 + n_bins)
        )

    def forward(self, pairs: Tensor) -> Tensor:
        """Predict from the vectors of pairs, ``(b, n, n, width)``."""
        outputs: Tensor = self.out(pairs + pairs.transpose(1, 2))
        return outputs


class _Layer(nn.Module):
    def __init__(self, width: int, pair_width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm, self.pair_norm = nn.LayerNorm(width), nn.LayerNorm(pair_width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.bias = nn.Linear(pair_width, heads, bias=False)
        self.feed = _feed_forward(width)
        self.left, self.right = nn.Linear(width, pair_width), nn.Linear(width, pair_width)
        self.triangle = nn.Linear(pair_width, 2 * pair_width)
        self.close = nn.Linear(pair_width, pair_width)
        self.pair_feed = _feed_forward(pair_width)

    def forward(self, atoms: Tensor, pairs: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        b, n, d = atoms.shape
        normed = self.pair_norm(pairs)
        bias = self.bias(normed).permute(0, 3, 1, 2)
        bias = bias.masked_fill(~mask[:, None, None, :], -1e4)
        q, k, v = self.qkv(self.norm(atoms)).view(b, n, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        mixed = functional.scaled_dot_product_attention(q, k, v, attn_mask=bias)
        atoms = atoms + self.out(mixed.transpose(1, 2).reshape(b, n, d))
        atoms = atoms + self.feed(atoms)
        own = self.norm(atoms)
        pairs = pairs + self.left(own)[:, :, None] * self.right(own)[:, None]
        one, two = self.triangle(normed).chunk(2, dim=-1)
        one = (torch.sigmoid(one) * mask[:, None, :, None]).permute(0, 3, 1, 2)
        closed = (one @ two.permute(0, 3, 2, 1)).permute(0, 2, 3, 1)
        pairs = pairs + self.close(closed / mask.sum(dim=1)[:, None, None, None])
        return atoms, pairs + self.pair_feed(pairs)


def _feed_forward(width: int) -> nn.Sequential:
    return nn.Sequential(
        nn.LayerNorm(width), nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width)
    )


def _pair_table() -> np.ndarray[Any, np.dtype[np.float32]]:
    """Radius, metal, electronegativity of each element, shape ``(104, 3)``."""
    columns = [covalent_radii(), column("is_metal"), column("pymatgen_electronegativity") / 2]
    return np.nan_to_num(np.stack(columns, axis=1)).astype(np.float32)


class PairTransformer(nn.Module):
    """Attention over atoms with a vector for each pair.

    Parameters
    ----------
    width, pair_width
        Lengths of the vectors of atoms and of pairs.
    layers, heads
        Layers, and heads of each.
    n_bins
        Bins of distances.
    legacy_features
        Whether atoms have the papers' raw features.
    """

    features: Tensor
    table: Tensor

    def __init__(
        self,
        width: int,
        pair_width: int,
        layers: int,
        heads: int,
        n_bins: int,
        *,
        legacy_features: bool = False,
    ) -> None:
        super().__init__()
        features = torch.tensor(element_features(legacy=legacy_features), dtype=torch.float32)
        self.register_buffer("features", features, persistent=False)
        self.register_buffer("table", torch.from_numpy(_pair_table()), persistent=False)
        self.element = nn.Embedding(MAX_Z + 1, width)
        self.rank = nn.Embedding(MAX_RANK, width)
        self.inner = nn.Linear(features.shape[1] + 2 + CRYSTAL_CHANNELS, width)
        self.outer = nn.Linear(PAIR_CHANNELS + 8, pair_width)
        self.left, self.right = nn.Linear(width, pair_width), nn.Linear(width, pair_width)
        self.layers = nn.ModuleList(_Layer(width, pair_width, heads) for _ in range(layers))
        self.head = Head(pair_width, n_bins)
        self.copy = nn.Parameter(torch.full((CONTACTS,), 0.7))
        nn.init.normal_(self.element.weight, std=0.3)

    def forward(self, batch: Batch) -> Tensor:
        """Predict all pairs: ``(b, n, n, 4 + n_bins)``."""
        z, mask = batch.numbers, batch.numbers > 0
        same = (z[:, :, None] == z[:, None]) & mask[:, :, None] & mask[:, None]
        sizes = torch.stack([same.sum(2), mask.sum(1, keepdim=True).expand_as(z)], dim=-1) / 6
        crystals = batch.crystals[:, None].expand(*z.shape, -1)
        values = torch.cat([self.features[z], sizes, crystals], dim=-1)
        atoms = self.inner(values) + self.element(z) + self.rank(batch.ranks)
        own = self.table[z]
        sums = (own[:, :, None] + own[:, None]) / 2
        steps = (own[:, :, None] - own[:, None]).abs()
        diagonal = torch.eye(z.shape[1], device=z.device).expand(len(z), -1, -1)
        flags = torch.stack([same.to(sums), diagonal], dim=-1)
        channels = torch.cat([batch.pairs.to(sums), sums, steps, flags], dim=-1)
        pairs = self.outer(channels) + self.left(atoms)[:, :, None] + self.right(atoms)[:, None]
        for layer in self.layers:
            atoms, pairs = layer(atoms, pairs, mask)
        outputs: Tensor = self.head(pairs)
        shares = channels[..., COVALENT_SHARE : VESTA_SHARE + 1 : VESTA_SHARE - COVALENT_SHARE]
        known = batch.crystals[:, 0].to(sums)[:, None, None, None]
        copied = self.copy * known * torch.logit(shares, eps=0.02)
        return torch.cat([outputs[..., :CONTACTS] + copied, outputs[..., CONTACTS:]], dim=-1)


class _Block(nn.Module):
    """Two convolutions and a shortcut, in one or two dimensions."""

    def __init__(self, dimensions: int, inner: int, outer: int) -> None:
        super().__init__()
        conv: Any = nn.Conv1d if dimensions == 1 else nn.Conv2d
        norm: Any = nn.BatchNorm1d if dimensions == 1 else nn.BatchNorm2d
        self.body = nn.Sequential(
            conv(inner, outer, 3, padding=1),
            norm(outer),
            nn.ReLU(),
            conv(outer, outer, 3, padding=1),
            norm(outer),
        )
        self.shortcut = conv(inner, outer, 1) if inner != outer else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(self.body(x) + self.shortcut(x))


def _tower(dimensions: int, inner: int, widths: tuple[int, ...], blocks: int) -> nn.Sequential:
    sizes = [inner, *(width for width in widths for _ in range(blocks))]
    return nn.Sequential(*(_Block(dimensions, a, b) for a, b in pairwise(sizes)))


class ResidualNetwork(nn.Module):
    """The papers' network; it sees the 11 features in the order of the atoms, and no templates.

    Parameters
    ----------
    widths, pair_widths
        Filters of each stage of both towers; printed are 32, 64, 128 and 256, 512, 1024.
    blocks
        Residual blocks in each stage.
    n_bins
        Bins of distances.
    size
        Atoms that all cells are padded to: convolutions see the padding.
    legacy_features
        Whether atoms have the papers' raw features.
    """

    features: Tensor

    def __init__(
        self,
        widths: tuple[int, ...],
        pair_widths: tuple[int, ...],
        blocks: int,
        n_bins: int,
        *,
        size: int,
        legacy_features: bool = False,
    ) -> None:
        super().__init__()
        features = torch.tensor(element_features(legacy=legacy_features), dtype=torch.float32)
        self.register_buffer("features", features, persistent=False)
        self.size = size
        self.line = _tower(1, features.shape[1], tuple(widths), blocks)
        self.plane = _tower(2, 3 * widths[-1], tuple(pair_widths), blocks)
        self.head = Head(pair_widths[-1], n_bins)

    def forward(self, batch: Batch) -> Tensor:
        """Predict all pairs: ``(b, n, n, 4 + n_bins)``."""
        n = batch.numbers.shape[1]
        numbers = functional.pad(batch.numbers, (0, max(self.size - n, 0)))
        atoms = self.line(self.features[numbers].transpose(1, 2))
        rows = atoms[:, :, :, None].expand(-1, -1, -1, atoms.shape[2])
        columns = rows.transpose(2, 3)
        pairs = self.plane(torch.cat([rows, columns, rows * columns], dim=1))
        outputs: Tensor = self.head(pairs[:, :, :n, :n].permute(0, 2, 3, 1))
        return outputs
