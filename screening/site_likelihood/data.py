"""Sites of the crystals in structure files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from screening.crystal.crystals import Crystal, standardise
from screening.progress import report
from screening.prototypes.build import cells_of_table
from screening.site_likelihood.site_descriptors import Sites
from screening.training.data import STRUCTURE_COLUMNS, canonical_formulas, read_table

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


LEAST_DISTANCE = 0.65
"""Crystals with closer atoms (Angstrom) are left out."""


@dataclass(frozen=True)
class SiteTable:
    """Unique sites of crystals.

    Attributes
    ----------
    sites
        The sites, with atomic numbers as species.
    formulas
        Canonical formula of each crystal.
    crystals
        The crystals.
    """

    sites: Sites
    formulas: list[str]
    crystals: list[Crystal]

    @classmethod
    def of(cls, table: pd.DataFrame) -> SiteTable:
        """Describe the crystals of a table; without those that fail or have too close atoms."""
        kept: list[Crystal] = []
        names: list[str] = []
        cells, _ = cells_of_table(table)
        formulas = canonical_formulas(table["formula"].tolist())
        for done, (cell, formula) in enumerate(zip(cells, formulas, strict=True)):
            crystal = cell if isinstance(cell, str) else standardise(cell)
            if isinstance(crystal, Crystal):
                kept.append(crystal)
                names.append(formula)
            if done % 500 == 0:
                report("sites", done, len(cells), "symmetry")
        sites = Sites.of(kept)
        close = set(sites.crystals[sites.nearest < LEAST_DISTANCE].tolist())
        if close:
            far = [i for i in range(len(kept)) if i not in close]
            kept, names = [kept[i] for i in far], [names[i] for i in far]
            sites = Sites.of(kept)
        return cls(sites, names, kept)


def read_sites(files: Sequence[Path]) -> tuple[SiteTable, list[int]]:
    """Read structure files; also return the rows of each.

    Raises
    ------
    InputError
        If a file cannot be read or a column is missing.
    """
    tables = [read_table(file, STRUCTURE_COLUMNS) for file in files]
    return SiteTable.of(pd.concat(tables, ignore_index=True)), [len(table) for table in tables]
