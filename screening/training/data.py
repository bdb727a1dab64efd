"""Reading training data, splitting it by formula, and remembering what a model has seen."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from screening.checkpoints.card import DataSource
from screening.checkpoints.io import file_sha256
from screening.composition import CompositionArray
from screening.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

STRUCTURE_COLUMNS = (
    "material_id",
    "formula",
    "n_sites",
    "atomic_numbers",
    "lattice",
    "frac_coords",
    "formation_energy_per_atom",
    "e_above_hull",
    "spacegroup_number",
)
ENERGY_COLUMNS = ("formula", "formation_energy_per_atom")
NOT_STATED = "not stated in the file"
"""Origin and licence of a file that has none among its attributes."""


def read_table(path: Path, columns: Sequence[str]) -> pd.DataFrame:
    """Read a parquet file and check that it has `columns`.

    Raises
    ------
    InputError
        If the file cannot be read or a column is missing.
    """
    try:
        table = pd.read_parquet(path)
    except FileNotFoundError:
        raise InputError(f"no such file: {path}") from None
    except (OSError, ValueError) as error:  # ArrowInvalid is a ValueError
        raise InputError(f"{path} is not a readable parquet file: {error}") from None
    missing = [name for name in columns if name not in table.columns]
    if missing:
        raise InputError(f"{path} has no column {missing}; it needs {list(columns)}")
    return table


def describe(path: Path, rows: int) -> DataSource:
    """Describe a training file for the card.

    What the file says of itself is taken over: ``origin`` and ``licence`` among pandas'
    `DataFrame.attrs`, which its parquet files keep.

    Parameters
    ----------
    path
        The parquet file.
    rows
        Rows used.
    """
    facts = pd.read_parquet(path, columns=[]).attrs
    return DataSource(
        name=path.name,
        sha256=file_sha256(path),
        rows=rows,
        origin=str(facts.get("origin", NOT_STATED)),
        licence=str(facts.get("licence", NOT_STATED)),
    )


def canonical_formulas(formulas: Sequence[str]) -> list[str]:
    """Write formulas reduced and without brackets, so that equal compositions are equal texts."""
    return CompositionArray.from_formulas(list(formulas)).reduced().formulas()


def _digests(formulas: Sequence[str], salt: str) -> NDArray[np.uint64]:
    """Hash each canonical formula to 64 bits."""
    data = b"".join(
        hashlib.blake2b(f"{salt}:{formula}".encode(), digest_size=8).digest()
        for formula in formulas
    )
    return np.frombuffer(data, dtype="<u8")


def held_out(formulas: Sequence[str], *, fraction: float, seed: int) -> NDArray[np.bool_]:
    """Choose the held-out rows by formula: the same formula falls on the same side in every file.

    Parameters
    ----------
    formulas
        Canonical formulas (`canonical_formulas`), shape ``(n,)``.
    fraction
        Share of the formulas that is held out.
    seed
        Another seed gives another split.
    """
    return _digests(formulas, f"split-{seed}") < np.uint64(int(fraction * 2**64))


def fingerprints(formulas: Sequence[str]) -> NDArray[np.uint32]:
    """Sorted 32-bit hashes of the formulas that a model has seen; kept inside its checkpoint."""
    return np.unique((_digests(formulas, "seen") >> np.uint64(32)).astype(np.uint32))


def unseen(formulas: Sequence[str], seen: NDArray[np.uint32]) -> NDArray[np.bool_]:
    """Which canonical formulas are not among the fingerprints `seen`, shape ``(n,)``."""
    return ~np.isin((_digests(formulas, "seen") >> np.uint64(32)).astype(np.uint32), seen)
