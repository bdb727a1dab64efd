"""Crystals as the networks take them: atoms in order, matrices padded to one size."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from screening.elements import column
from screening.progress import report
from screening.prototypes.build import cells_of_table
from screening.structure.alphacrystal.alignment import align
from screening.structure.alphacrystal.labels import atom_order, cell_distances, kinds_of
from screening.structure.alphacrystal.templates import (
    CRYSTAL_CHANNELS,
    PAIR_CHANNELS,
    Templates,
    find_templates,
)
from screening.training.data import canonical_formulas

if TYPE_CHECKING:
    import pandas as pd

    from screening.crystal.crystals import Cell
    from screening.prototypes.bank import Bank

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
STARTS = 12


@dataclass(frozen=True)
class Batch:
    """Inputs of ``b`` crystals, padded to ``n`` atoms; atomic number 0 is padding.

    Attributes
    ----------
    numbers
        Atomic numbers, int64 ``(b, n)``.
    ranks
        Place of each atom among those of its element, int64 ``(b, n)``.
    pairs
        Channels of `Templates`, zeros without, float ``(b, n, n, PAIR_CHANNELS)``.
    crystals
        Channels of `Templates`, zeros without, float ``(b, CRYSTAL_CHANNELS)``.
    """

    numbers: torch.Tensor
    ranks: torch.Tensor
    pairs: torch.Tensor
    crystals: torch.Tensor

    def rows(self, index: torch.Tensor) -> Batch:
        """Take some crystals."""
        return Batch(*(getattr(self, item.name)[index] for item in fields(self)))

    def masked(self, kept: torch.Tensor) -> Batch:
        """Hide the templates of all crystals but those `kept`, bool ``(b,)``."""
        pairs = self.pairs * kept[:, None, None, None]
        return Batch(self.numbers, self.ranks, pairs, self.crystals * kept[:, None])

    def trimmed(self) -> Batch:
        """Cut padding that all crystals have."""
        n = int((self.numbers > 0).sum(dim=1).max())
        return Batch(self.numbers[:, :n], self.ranks[:, :n], self.pairs[:, :n, :n], self.crystals)

    def to(self, device: str) -> Batch:
        """Move to a device."""
        return Batch(*(getattr(self, item.name).to(device) for item in fields(self)))


@dataclass(frozen=True)
class Crystals:
    """Inputs and targets of ``s`` crystals.

    Attributes
    ----------
    inputs
        The inputs.
    own
        Distances (Angstrom), atoms in their own order, float32 ``(s, n, n)``.
    aligned
        The same, equal atoms exchanged so that they are nearest to the first template.
    first
        Distances of the first template, NaN without, float32 ``(s, n, n)``.
    """

    inputs: Batch
    own: NDArray[np.float32]
    aligned: NDArray[np.float32]
    first: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.own)

    def joined(self, other: Crystals) -> Crystals:
        """Put further crystals, padded to the same size, behind these."""
        inputs = (
            torch.cat([getattr(self.inputs, item.name), getattr(other.inputs, item.name)])
            for item in fields(Batch)
        )
        arrays = (
            np.concatenate([getattr(self, name), getattr(other, name)])
            for name in ("own", "aligned", "first")
        )
        return Crystals(Batch(*inputs), *arrays)


def select_rows(table: pd.DataFrame, max_atoms: int, *, metals: bool) -> pd.DataFrame:
    """Choose as the papers do: the lowest energy of each formula, 2 to `max_atoms` atoms.

    Parameters
    ----------
    table
        Structure table.
    max_atoms
        Most atoms in the cell.
    metals
        Whether crystals of metals only are kept; the papers leave them out.
    """
    is_metal = column("is_metal")
    kept = table["n_sites"].between(2, max_atoms)
    if not metals:
        kept &= np.array([(is_metal[z] != 1).any() for z in table["atomic_numbers"]], dtype=bool)
    table = table[kept]
    table = table.assign(formula=canonical_formulas(table["formula"].tolist()))
    table = table.sort_values("formation_energy_per_atom", kind="stable")
    return table.drop_duplicates("formula").sort_index()


def ranks_of(numbers: Integers) -> Integers:
    """Place of each atom among those of its element, atoms in order, shape ``(n,)``."""
    kinds = kinds_of(numbers)
    return np.arange(len(kinds)) - np.searchsorted(kinds, kinds)


def inputs_of(numbers: list[Integers], templates: list[Templates | None], max_atoms: int) -> Batch:
    """Pad the inputs of crystals; `numbers` in the order of `atom_order`."""
    size = len(numbers)
    z = np.zeros((size, max_atoms), dtype=np.int64)
    ranks = np.zeros((size, max_atoms), dtype=np.int64)
    pairs = np.zeros((size, max_atoms, max_atoms, PAIR_CHANNELS), dtype=np.float16)
    crystals = np.zeros((size, CRYSTAL_CHANNELS), dtype=np.float32)
    for i, (own, found) in enumerate(zip(numbers, templates, strict=True)):
        n = len(own)
        z[i, :n], ranks[i, :n] = own, ranks_of(own)
        if found is not None:
            pairs[i, :n, :n], crystals[i] = found.pair_channels(own), found.crystal_channels()
    return Batch(*(torch.from_numpy(array) for array in (z, ranks, pairs, crystals)))


def prepare(table: pd.DataFrame, bank: Bank | None, max_atoms: int) -> Crystals:
    """Compute inputs and targets of the rows of a table (`select_rows`).

    Parameters
    ----------
    table
        Structure table with canonical formulas.
    bank
        Where templates come from, less each crystal's own formula; None for none.
    max_atoms
        Size of the padded matrices.
    """
    cells = [cell for cell in cells_of_table(table)[0] if not isinstance(cell, str)]
    shape = (len(cells), max_atoms, max_atoms)
    own, aligned = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    first = np.full(shape, np.nan, np.float32)
    numbers: list[Integers] = []
    templates: list[Templates | None] = []
    for i, (cell, formula) in enumerate(zip(cells, table["formula"], strict=True)):
        z, distances = ordered_cell(cell)
        found = None if bank is None else find_templates(bank, z, without=formula)
        n = len(z)
        own[i, :n, :n] = aligned[i, :n, :n] = distances
        if found is not None:
            order = align(found.distances[0], distances, kinds_of(z), STARTS)
            aligned[i, :n, :n] = distances[order][:, order]
            first[i, :n, :n] = found.distances[0]
        numbers.append(z)
        templates.append(found)
        report("distances", i + 1, len(cells))
    return Crystals(inputs_of(numbers, templates, max_atoms), own, aligned, first)


def ordered_cell(cell: Cell) -> tuple[Integers, Floats]:
    """Atomic numbers ``(n,)`` and distances ``(n, n)`` (Angstrom) in the order of `atom_order`."""
    distances = cell_distances(cell)
    order = atom_order(cell[2], distances)
    return cell[2][order], np.ascontiguousarray(distances[order][:, order])
