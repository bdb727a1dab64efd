"""Training energies: the lowest of each reduced formula, one column for each set of corrections."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from screening.composition import CompositionArray
from screening.errors import InputError
from screening.training.data import ENERGY_COLUMNS, canonical_formulas, read_table

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray


@dataclass(frozen=True)
class EnergyTable:
    """Formation energies by formula and reference.

    Attributes
    ----------
    formulas
        Canonical formulas in alphabetical order, n of them.
    references
        Names of the sets of corrections, r of them.
    energies
        eV/atom, shape ``(n, r)``, NaN where a set does not hold the formula.
    rows
        Rows that were used of each file.
    """

    formulas: list[str]
    references: tuple[str, ...]
    energies: NDArray[np.float32]
    rows: tuple[int, ...]

    def compositions(self) -> CompositionArray:
        """Pack the formulas."""
        return CompositionArray.from_formulas(self.formulas)


def read_rows(path: Path) -> pd.DataFrame:
    """Read ``formula`` (canonical) and ``energy`` (eV/atom); rows without energy are left out."""
    table = read_table(path, ENERGY_COLUMNS)
    table = table[np.isfinite(table["formation_energy_per_atom"])]
    if table.empty:
        raise InputError(f"{path} has no row with a finite formation_energy_per_atom")
    formulas = canonical_formulas(table["formula"].tolist())
    energies = table["formation_energy_per_atom"].to_numpy(dtype=np.float64)
    return pd.DataFrame({"formula": formulas, "energy": energies})


def reference_names(paths: Sequence[Path], names: str) -> tuple[str, ...]:
    """Name the set of corrections that each file follows.

    Parameters
    ----------
    paths
        The files.
    names
        Names in the order of the files, separated by commas; files with one name are taken
        together. Empty: each file is a set of its own, called like the file.

    Raises
    ------
    InputError
        If there are not as many names as files.
    """
    if not names:
        return tuple(path.stem for path in paths)
    given = tuple(name.strip() for name in names.split(","))
    if len(given) != len(paths) or not all(given):
        raise InputError(
            f"references={names!r} must name the corrections of each of the {len(paths)} files, "
            "separated by commas"
        )
    return given


def read_energies(paths: Sequence[Path], names: str = "") -> EnergyTable:
    """Read files and keep the lowest energy of each formula and reference.

    Energies of one material differ between releases of a database by corrections that depend on the
    composition, up to some 0.3 eV/atom for halides: sets with different corrections are never mixed
    in one column.
    """
    labels = reference_names(paths, names)
    parts = [
        read_rows(path).assign(reference=name) for path, name in zip(paths, labels, strict=True)
    ]
    whole = pd.concat(parts).pivot_table(
        index="formula", columns="reference", values="energy", aggfunc="min"
    )
    references = tuple(dict.fromkeys(labels))
    return EnergyTable(
        formulas=whole.index.tolist(),
        references=references,
        energies=whole[list(references)].to_numpy(dtype=np.float32),
        rows=tuple(len(part) for part in parts),
    )
