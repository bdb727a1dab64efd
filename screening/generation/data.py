"""The formulas that the trained generators learn from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from screening.balance import accepted, balance_codes
from screening.composition import CompositionArray
from screening.errors import InputError
from screening.generation.representation import encodable
from screening.training.data import canonical_formulas, held_out, read_table

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from screening.generation.autoregressive.options import SetOptions
    from screening.generation.matgan.options import Options


@dataclass(frozen=True)
class FormulaData:
    """Distinct reduced formulas that the representation holds and the rules accept.

    Attributes
    ----------
    formulas
        Canonical formulas, sorted, ``n`` texts.
    compositions
        The same, packed.
    held_out
        Which of them are not trained on, shape ``(n,)``.
    n_distinct
        Distinct formulas in the files, before anything was left out.
    """

    formulas: list[str]
    compositions: CompositionArray
    held_out: NDArray[np.bool_]
    n_distinct: int


def distinct_formulas(paths: Sequence[Path]) -> list[str]:
    """Read the distinct canonical formulas of parquet files with a column ``formula``, sorted."""
    formulas: set[str] = set()
    for path in paths:
        formulas.update(canonical_formulas(list(read_table(path, ["formula"])["formula"].unique())))
    return sorted(formulas)


def load_formulas(paths: Sequence[Path], options: Options | SetOptions, seed: int) -> FormulaData:
    """Read and screen the training formulas.

    Raises
    ------
    InputError
        If a file cannot be read, or fewer than two batches of formulas are left.
    """
    formulas = distinct_formulas(paths)
    compositions = CompositionArray.from_formulas(formulas)
    kept = encodable(compositions)
    if options.screen:
        kept &= accepted(balance_codes(compositions, table=options.table))
    chosen = [formula for formula, keep in zip(formulas, kept, strict=True) if keep]
    is_held_out = held_out(chosen, fraction=options.held_out, seed=seed)
    n_train = int((~is_held_out).sum())
    if n_train < 2 * options.batch:
        raise InputError(
            f"{n_train} formulas to train on are fewer than two batches of {options.batch}: give "
            "more data, set screen=false, or lower batch"
        )
    return FormulaData(chosen, compositions[kept], np.asarray(is_held_out), len(formulas))
