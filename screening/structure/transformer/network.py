"""The network: a transformer on the tokens of a crystal, of which any may be unknown.

Pre-norm layers with normalised queries and keys (Henry et al. 2020, doi:10.18653/v1/
2020.findings-emnlp.379) and SwiGLU (Shazeer 2020, arXiv:2002.05202). There are no positions in the
sequence: atoms of one element that are equally known get equal predictions.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import torch
from torch import Tensor, nn
from torch.nn import functional

from screening.elements import MAX_Z
from screening.features.alphacrystal import element_features
from screening.structure.transformer.data import N_BINS
from screening.structure.transformer.tables import N_GROUPS, tables

HARMONICS = 12
HEAD_WIDTH = 32


@dataclass(frozen=True)
class Batch:
    """``b`` crystals of at most ``n`` atoms, as far as they are known.

    Attributes
    ----------
    numbers
        Atomic numbers, 0 is padding, int64 ``(b, n)``.
    groups
        Space groups, 0 is unknown, int64 ``(b,)``.
    letters
        Wyckoff tokens, 0 is unknown, int64 ``(b, n)``.
    fractions, fractions_known
        Free coordinates of each atom's orbit, float ``(b, n, 3)``, and which are known, bool.
    cells, cells_known
        Cell parameters in bins, float ``(b, 6)``, and which are known, bool.
    """

    numbers: Tensor
    groups: Tensor
    letters: Tensor
    fractions: Tensor
    fractions_known: Tensor
    cells: Tensor
    cells_known: Tensor

    def rows(self, index: Tensor | slice) -> Batch:
        """Take some crystals."""
        return Batch(*(getattr(self, item.name)[index] for item in fields(self)))


@dataclass(frozen=True)
class Outputs:
    """Predictions for a `Batch`.

    Attributes
    ----------
    groups
        Logits of the space groups 1 to 230, ``(b, 230)``.
    cells, cell_offsets
        Logits of the bins of each cell parameter, and the step (bins) from the centre of each bin,
        ``(b, 6, 64)``.
    letters
        Logits of the letters of the known space group, -inf where there is none, ``(b, n, 27)``.
    fractions, fraction_offsets
        The same for coordinates, ``(b, n, 3, 64)``.
    """

    groups: Tensor
    cells: Tensor
    cell_offsets: Tensor
    letters: Tensor
    fractions: Tensor
    fraction_offsets: Tensor


class _Layer(nn.Module):
    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.heads = width // HEAD_WIDTH
        hidden = 8 * round(width / 3)
        self.first, self.second = nn.RMSNorm(width), nn.RMSNorm(width)
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.query_norm, self.key_norm = nn.RMSNorm(HEAD_WIDTH), nn.RMSNorm(HEAD_WIDTH)
        self.out = nn.Linear(width, width, bias=False)
        self.gate = nn.Linear(width, 2 * hidden, bias=False)
        self.down = nn.Linear(hidden, width, bias=False)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        b, n, width = x.shape
        qkv = self.qkv(self.first(x)).view(b, n, 3, self.heads, HEAD_WIDTH).permute(2, 0, 3, 1, 4)
        query, key = self.query_norm(qkv[0]), self.key_norm(qkv[1])
        # torch's fused attention takes twice as long to train on a processor, at these sizes
        affinity = query @ key.transpose(-1, -2) / math.sqrt(HEAD_WIDTH)
        if mask is not None:
            affinity = affinity.masked_fill(~mask, -torch.inf)
        mixed = affinity.softmax(dim=-1) @ qkv[2]
        x = x + self.dropout(self.out(mixed.transpose(1, 2).reshape(b, n, width)))
        gate, value = self.gate(self.second(x)).chunk(2, dim=-1)
        changed: Tensor = x + self.dropout(self.down(functional.silu(gate) * value))
        return changed


class CrystalTransformer(nn.Module):
    """Predicts what is unknown of a crystal from what is known.

    Parameters
    ----------
    width
        Length of a token's vector, a multiple of 32.
    layers
        Number of layers.
    dropout
        Share of values dropped in training.
    """

    elements: Tensor
    tokens: Tensor
    token_features: Tensor
    group_features: Tensor

    def __init__(self, width: int, layers: int, dropout: float = 0.0) -> None:
        super().__init__()
        known = tables()
        elements = torch.tensor(element_features(), dtype=torch.float32)
        for name, value in (
            ("elements", elements),
            ("tokens", known.tokens),
            ("token_features", known.token_features),
            ("group_features", known.group_features),
        ):
            self.register_buffer(name, value, persistent=False)
        self.element = nn.Embedding(MAX_Z + 1, width)
        self.atom_inner = nn.Linear(elements.shape[1] + 4, width)
        self.fraction_inner = nn.Linear(3 * (2 * HARMONICS + 1), width, bias=False)
        self.letter = nn.Embedding(len(known.token_features), width)
        self.letter_inner = nn.Linear(known.token_features.shape[1], width)
        self.group = nn.Embedding(N_GROUPS + 1, width)
        self.group_inner = nn.Linear(known.group_features.shape[1] + 2, width)
        self.cell_inner = nn.Linear(6 * (2 * HARMONICS + 2), width)
        self.layers = nn.ModuleList(_Layer(width, dropout) for _ in range(layers))
        self.norm = nn.RMSNorm(width)
        self.group_head = nn.Linear(width, N_GROUPS)
        self.cell_head = nn.Linear(width, 2 * 6 * N_BINS)
        self.letter_head = nn.Linear(width, width)
        self.fraction_head = nn.Linear(width, 2 * 3 * N_BINS)
        for embedding in (self.element, self.letter, self.group):
            nn.init.normal_(embedding.weight, std=0.3)

    def forward(self, batch: Batch) -> Outputs:
        """Predict all tokens, known or not."""
        mask = batch.numbers > 0
        letter_vectors = self.letter.weight + self.letter_inner(self.token_features)
        x = torch.cat(
            [self._global_tokens(batch, mask), self._atom_tokens(batch, mask, letter_vectors)],
            dim=1,
        )
        attended = None
        if not bool(mask.all()):
            attended = functional.pad(mask, (2, 0), value=True)[:, None, None, :]
        for layer in self.layers:
            x = layer(x, attended)
        x = self.norm(x)
        b, n = mask.shape
        atoms = x[:, 2:]
        letters = self.tokens[batch.groups]
        logits = self.letter_head(atoms) @ letter_vectors[letters].transpose(1, 2)
        logits = logits / math.sqrt(x.shape[-1])
        cells = self.cell_head(x[:, 1]).view(b, 2, 6, N_BINS).float()
        fractions = self.fraction_head(atoms).view(b, n, 2, 3, N_BINS).float()
        return Outputs(
            groups=self.group_head(x[:, 0]).float(),
            cells=cells[:, 0],
            cell_offsets=cells[:, 1],
            letters=logits.float().masked_fill((letters == 0)[:, None], -torch.inf),
            fractions=fractions[:, :, 0],
            fraction_offsets=fractions[:, :, 1],
        )

    def _atom_tokens(self, batch: Batch, mask: Tensor, letter_vectors: Tensor) -> Tensor:
        """One vector for each atom: element, amounts, letter and coordinates, ``(b, n, width)``."""
        z = batch.numbers
        same = (z[:, :, None] == z[:, None]).sum(dim=2)
        total = mask.sum(dim=1, keepdim=True).expand_as(z)
        sizes = torch.stack([same / 8, total / 8, same / total, same.log2() / 2], dim=-1)
        values = torch.cat([self.elements[z], sizes.to(self.elements)], dim=-1)
        known = batch.fractions_known[..., None]
        waves = _waves(2 * math.pi * batch.fractions)
        coordinates = torch.cat([waves * known, known], dim=-1).flatten(2)
        atoms: Tensor = self.element(z) + self.atom_inner(values) + letter_vectors[batch.letters]
        tokens: Tensor = atoms + self.fraction_inner(coordinates)
        return tokens

    def _global_tokens(self, batch: Batch, mask: Tensor) -> Tensor:
        """Vectors of the space group and the cell, ``(b, 2, width)``."""
        total = mask.sum(dim=1, keepdim=True)
        sizes = torch.cat([total / 8, total.log2() / 2], dim=-1)
        features = torch.cat([self.group_features[batch.groups], sizes], dim=-1)
        known = batch.cells_known[..., None]
        scaled = batch.cells[..., None] / N_BINS
        waves = torch.cat([_waves(math.pi * batch.cells / N_BINS), scaled], dim=-1)
        values = torch.cat([waves * known, known], dim=-1).flatten(1)
        tokens = [self.group(batch.groups) + self.group_inner(features), self.cell_inner(values)]
        return torch.stack(tokens, dim=1)


def _waves(phase: Tensor) -> Tensor:
    """Sines and cosines of multiples of a phase, ``(..., 2 * HARMONICS)``."""
    multiples = torch.arange(1, HARMONICS + 1, device=phase.device, dtype=phase.dtype)
    angles = phase[..., None] * multiples
    return torch.cat([angles.sin(), angles.cos()], dim=-1)
