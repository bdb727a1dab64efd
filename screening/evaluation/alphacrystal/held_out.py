"""The crystals that maps are measured on: formulas that no model involved was trained on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from screening.errors import InputError
from screening.structure.alphacrystal.data import select_rows
from screening.training.data import STRUCTURE_COLUMNS, read_table, unseen

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pandas as pd
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Measured:
    """Rows of a structure table.

    Attributes
    ----------
    seen
        Rows whose formulas a model was trained on.
    fresh
        All other formulas.
    test
        The rows that are measured: those of `fresh`, or a sample of them.
    """

    seen: pd.DataFrame
    fresh: list[str]
    test: pd.DataFrame


def choose_measured(
    data: Path,
    trained: Sequence[NDArray[np.uint32]],
    *,
    max_atoms: int,
    metals: bool,
    sample: int | None,
    seed: int,
) -> Measured:
    """Choose what is measured.

    Parameters
    ----------
    data
        Structure table.
    trained
        Fingerprints of the formulas that each model was trained on.
    max_atoms, metals
        As in `select_rows`.
    sample, seed
        Most rows, and the seed of their choice.

    Raises
    ------
    InputError
        If nothing is left.
    """
    table = select_rows(read_table(data, STRUCTURE_COLUMNS), max_atoms, metals=metals)
    formulas = table["formula"].tolist()
    fresh = np.logical_and.reduce([unseen(formulas, seen) for seen in trained])
    test = table[fresh]
    if sample is not None and sample < len(test):
        test = test.sample(sample, random_state=seed).sort_index()
    if not len(test):
        raise InputError(f"{data}: the model has seen every usable formula of it")
    return Measured(table[~fresh], table["formula"][fresh].tolist(), test)
