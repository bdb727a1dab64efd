"""Training data: one space group, cell and volume for each formula."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from screening.composition import CompositionArray
from screening.errors import InputError
from screening.progress import report
from screening.symmetry.bravais import N_SPACE_GROUPS, bravais_classes, conventional_cell
from screening.training.data import STRUCTURE_COLUMNS, canonical_formulas, read_table

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

_SCORE_SHIFT = 0.1
"""Added to the energy above the hull (eV/atom) in CRYSPNet's score."""


@dataclass(frozen=True)
class SymmetryTable:
    """One representative crystal for each formula, n of them.

    Attributes
    ----------
    formulas
        Canonical formulas in alphabetical order.
    space_group
        Numbers in the International Tables, shape ``(n,)``.
    volume
        Angstrom^3/atom, shape ``(n,)``.
    cells
        Conventional cells (a, b, c, alpha, beta, gamma), shape ``(n, 6)``; NaN where spglib does
        not find the space group of the data.
    n_atoms
        Atoms in the conventional cell, shape ``(n,)``, 0 where there is none.
    """

    formulas: list[str]
    space_group: NDArray[np.int64]
    volume: NDArray[np.float64]
    cells: NDArray[np.float64]
    n_atoms: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.formulas)

    @property
    def bravais(self) -> NDArray[np.intp]:
        """Bravais classes, shape ``(n,)``."""
        return bravais_classes()[self.space_group]

    def select(self, rows: NDArray[np.bool_]) -> SymmetryTable:
        """Take the rows of a mask."""
        return SymmetryTable(
            formulas=[f for f, chosen in zip(self.formulas, rows, strict=True) if chosen],
            space_group=self.space_group[rows],
            volume=self.volume[rows],
            cells=self.cells[rows],
            n_atoms=self.n_atoms[rows],
        )

    def compositions(self) -> CompositionArray:
        """Pack the formulas."""
        return CompositionArray.from_formulas(self.formulas)


def read_crystals(paths: Sequence[Path]) -> pd.DataFrame:
    """Read structure files and keep one crystal for each formula; see `choose_crystals`.

    Raises
    ------
    InputError
        If a file cannot be used or has a space group outside 1 to 230.
    """
    parts = [read_table(path, STRUCTURE_COLUMNS) for path in paths]
    table = pd.concat(parts, ignore_index=True)
    groups = table["spacegroup_number"]
    if not groups.between(1, N_SPACE_GROUPS).all():
        worst = groups[~groups.between(1, N_SPACE_GROUPS)].iloc[0]
        raise InputError(f"spacegroup_number {worst} is not a space group: use 1 to 230")
    table["formula"] = canonical_formulas(table["formula"].tolist())
    lattices = np.array([np.reshape(cell, (3, 3)) for cell in table["lattice"]])
    table["volume"] = np.abs(np.linalg.det(lattices)) / table["n_sites"].to_numpy()
    return choose_crystals(table)


def choose_crystals(table: pd.DataFrame) -> pd.DataFrame:
    """Keep one row for each formula, as CRYSPNet does.

    Each space group of a formula scores (number of entries) / (lowest energy above the hull + 0.1
    eV/atom); of the best one, the entry with the median volume is kept. Ties go to the group of
    higher number and the smaller volume.
    """
    groups = table.groupby(["formula", "spacegroup_number"], as_index=False).agg(
        abundance=("e_above_hull", "size"), above_hull=("e_above_hull", "min")
    )
    groups["score"] = groups["abundance"] / (groups["above_hull"] + _SCORE_SHIFT)
    best = groups.sort_values(["formula", "score", "spacegroup_number"]).drop_duplicates(
        "formula", keep="last"
    )
    kept = table.merge(best[["formula", "spacegroup_number"]], on=["formula", "spacegroup_number"])
    kept = kept.sort_values(["formula", "volume"], kind="stable")
    position = kept.groupby("formula").cumcount()
    size = kept.groupby("formula")["formula"].transform("size")
    return kept[position == (size - 1) // 2].reset_index(drop=True)


def with_cells(crystals: pd.DataFrame) -> SymmetryTable:
    """Find the conventional cell of each crystal (about 10 ms each)."""
    cells = np.full((len(crystals), 6), np.nan)
    n_atoms = np.zeros(len(crystals), dtype=np.int64)
    columns = ("lattice", "frac_coords", "atomic_numbers", "spacegroup_number")
    rows = zip(*(crystals[name].tolist() for name in columns), strict=True)
    for i, (lattice, coordinates, numbers, group) in enumerate(rows):
        cell = conventional_cell(
            np.reshape(np.asarray(lattice, dtype=np.float64), (3, 3)),
            np.reshape(np.asarray(coordinates, dtype=np.float64), (-1, 3)),
            np.asarray(numbers, dtype=np.int64),
            space_group=int(group),
        )
        if cell is not None:
            cells[i], n_atoms[i] = cell.parameters, cell.n_atoms
        report("conventional cells", i + 1, len(crystals))
    return SymmetryTable(
        formulas=crystals["formula"].tolist(),
        space_group=crystals["spacegroup_number"].to_numpy(dtype=np.int64),
        volume=crystals["volume"].to_numpy(dtype=np.float64),
        cells=cells,
        n_atoms=n_atoms,
    )
