"""Crystals as the networks take them: Niggli cells, padded, with their pressures."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Self

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from screening.crystal.crystals import cell_parameters
from screening.structure.cdvae.graph import lattice_of
from screening.training.data import canonical_formulas, read_table

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from screening.crystal.crystals import Cell

COLUMNS = ("formula", "atomic_numbers", "lattice", "frac_coords")
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Batch:
    """``b`` crystals, padded to ``n`` atoms; atomic number 0 is padding.

    Attributes
    ----------
    numbers
        Atomic numbers, int64 ``(b, n)``.
    points
        Fractional coordinates ``(b, n, 3)``.
    lattices
        Row vectors (Angstrom) of `cells`, as `lattice_of` turns them, ``(b, 3, 3)``.
    cells
        Lengths (Angstrom) and angles (degrees) ``(b, 6)``.
    pressures
        GPa, ``(b,)``.
    """

    numbers: Tensor
    points: Tensor
    lattices: Tensor
    cells: Tensor
    pressures: Tensor

    def __len__(self) -> int:
        return len(self.numbers)

    def rows(self, index: Tensor) -> Batch:
        """Take some crystals, padded no more than they need."""
        taken = Batch(*(getattr(self, item.name)[index] for item in fields(self)))
        n = int((taken.numbers > 0).sum(dim=1).max())
        return Batch(
            taken.numbers[:, :n], taken.points[:, :n], taken.lattices, taken.cells, taken.pressures
        )

    def to(self, device: str) -> Batch:
        """Move to a device."""
        return Batch(*(getattr(self, item.name).to(device) for item in fields(self)))

    def crystal_of_atom(self) -> Tensor:
        """Index of each atom's crystal, int64 ``(m,)``."""
        mask = self.numbers > 0
        return torch.arange(len(mask), device=mask.device)[:, None].expand_as(mask)[mask]

    def parameters(self) -> Tensor:
        """Lengths over the cube root of the atoms, angles, logarithms of volumes per atom.

        In Angstrom, degrees and Angstrom^3, ``(b, 7)``.
        """
        n = (self.numbers > 0).sum(dim=1, keepdim=True)
        volumes = torch.linalg.det(self.lattices)[:, None] / n
        lengths = self.cells[:, :3] / n ** (1 / 3)
        return torch.cat([lengths, self.cells[:, 3:], volumes.clamp(min=0.1).log()], dim=1)

    def statistics(self) -> dict[str, Tensor]:
        """Mean and scale of lattices and pressures; a scale of 1 where nothing varies."""
        parameters, pressures = self.parameters(), self.pressures[:, None]
        found = {}
        for name, values in (("lattice", parameters), ("pressure", pressures)):
            spread = values.std(dim=0, correction=0)
            found[f"{name}_mean"] = values.mean(dim=0)
            found[f"{name}_scale"] = torch.where(spread > 1e-3, spread, torch.ones_like(spread))
        return found

    @classmethod
    def of_cells(cls, cells: Sequence[Cell], pressures: Sequence[float]) -> Self:
        """Collect crystals, each in its Niggli cell, turned as predicted lattices are."""
        n = max(len(numbers) for _, _, numbers in cells)
        numbers = np.zeros((len(cells), n), dtype=np.int64)
        points = np.zeros((len(cells), n, 3), dtype=np.float32)
        parameters = np.zeros((len(cells), 6), dtype=np.float32)
        for row, (lattice, fractional, species) in enumerate(cells):
            reduced = niggli(lattice)
            numbers[row, : len(species)] = species
            points[row, : len(species)] = fractional @ lattice @ np.linalg.inv(reduced)
            parameters[row] = cell_parameters(reduced)
        known = torch.from_numpy(parameters)
        return cls(
            torch.from_numpy(numbers),
            torch.from_numpy(points),
            lattice_of(known.double()).float(),
            known,
            torch.tensor(list(pressures), dtype=torch.float32),
        )


def niggli(lattice: Floats) -> Floats:
    """Niggli-reduced rows (Angstrom); the lattice itself where spglib finds none."""
    import spglib

    found = spglib.niggli_reduce(lattice)
    return lattice if found is None else np.asarray(found, dtype=np.float64)


def read_crystals(paths: Sequence[Path], max_atoms: int, max_pressure: float) -> pd.DataFrame:
    """Read structure files; rows without a column `pressure` are at 0 GPa.

    Parameters
    ----------
    paths
        Parquet files, such as those of ``screening train pressure-data``.
    max_atoms
        Most atoms in the cell.
    max_pressure
        Highest pressure that is kept (GPa).

    Returns
    -------
    Columns `formula` (canonical), `atomic_numbers`, `lattice`, `frac_coords`, `pressure`.
    """
    tables = []
    for path in paths:
        table = read_table(path, COLUMNS)
        pressure = table["pressure"] if "pressure" in table.columns else 0.0
        tables.append(table[list(COLUMNS)].assign(pressure=pressure))
    joined = pd.concat(tables, ignore_index=True)
    small = np.array([len(numbers) <= max_atoms for numbers in joined["atomic_numbers"]])
    kept = joined[small & (joined["pressure"] <= max_pressure).to_numpy()].reset_index(drop=True)
    return kept.assign(formula=canonical_formulas(kept["formula"].tolist()))


def cells_of(table: pd.DataFrame) -> list[Cell]:
    """Cells of a structure table."""
    return [
        (
            np.asarray(row.lattice, dtype=np.float64).reshape(3, 3),
            np.asarray(row.frac_coords, dtype=np.float64).reshape(-1, 3),
            np.asarray(row.atomic_numbers, dtype=np.int64),
        )
        for row in table.itertuples()
    ]
