"""Labelled crystals and what a potential says of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from safetensors.numpy import load_file, save_file

from screening.crystal.elemental_structures import elemental_structures
from screening.elements import MAX_Z, atomic_number, symbols
from screening.engines import Crystal
from screening.engines.descent import RelaxOptions, relax_batch
from screening.engines.threads import one_thread
from screening.errors import InputError
from screening.identity import content_hash
from screening.progress import report
from screening.training.data import canonical_formulas, read_table

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pandas as pd
    from numpy.typing import NDArray
    from pymatgen.core import Structure

    from screening.engines import Engine

COLUMNS = (
    "material_id", "formula", "atomic_numbers", "lattice", "frac_coords",
    "formation_energy_per_atom",
)  # fmt: skip
BATCH = 64
"""Crystals between two states on the disk."""
STAGE = "energy-scale"


def read_labelled(path: Path, sample: int | None, seed: int) -> pd.DataFrame:
    """Read crystals with formation energies; `formula` is made canonical.

    Parameters
    ----------
    path
        Parquet file with the columns `COLUMNS`.
    sample
        Largest number of crystals, drawn at random; None for all.
    seed
        Seed of the draw.

    Raises
    ------
    InputError
        If a column is missing or no row has a finite energy.
    """
    table = read_table(path, COLUMNS)[[*COLUMNS]]
    table = table[np.isfinite(table["formation_energy_per_atom"])]
    if table.empty:
        raise InputError(f"{path} has no row with a finite formation_energy_per_atom")
    if sample is not None and sample < len(table):
        table = table.sample(n=sample, random_state=seed)
    canonical: pd.DataFrame = table.assign(formula=canonical_formulas(table["formula"].tolist()))
    return canonical


def row_crystals(table: pd.DataFrame) -> list[Crystal]:
    """Make the crystals of a table with structure columns."""
    crystals = []
    for row in table.itertuples():
        cell = np.asarray(row.lattice, dtype=np.float64).reshape(3, 3)
        points = np.asarray(row.frac_coords, dtype=np.float64).reshape(-1, 3)
        crystals.append(
            Crystal(np.asarray(row.atomic_numbers, dtype=np.int64), cell, points @ cell)
        )
    return crystals


def potential_energies(
    crystals: Sequence[Crystal], engine: Engine, *, relax: bool, state: Path
) -> NDArray[np.float64]:
    """Energies of crystals by a potential (eV/atom), shape ``(n,)``, NaN where it has none.

    Parameters
    ----------
    crystals
        Left as they are.
    engine
        The potential.
    relax
        Relax cell and positions first, as campaigns do.
    state
        Folder that keeps finished batches: the same call goes on where it was stopped.
    """
    order = np.argsort([len(crystal) for crystal in crystals], kind="stable")
    energies = np.full(len(crystals), np.nan)
    for start in range(0, len(order), BATCH):
        rows = order[start : start + BATCH]
        batch = [Crystal(c.numbers, c.cell.copy(), c.positions.copy())
                 for c in (crystals[k] for k in rows)]  # fmt: skip
        key = content_hash(engine.name, relax, [(c.numbers, c.cell, c.positions) for c in batch])
        path = state / f"{key[:24]}.safetensors"
        if path.is_file():
            energies[rows] = load_file(path)["energies"]
        else:
            energies[rows] = _energies(batch, engine, relax=relax)
            state.mkdir(parents=True, exist_ok=True)
            save_file({"energies": energies[rows]}, path)
        report(STAGE, min(start + BATCH, len(order)), len(order), detail=engine.name)
    return energies


def _energies(batch: list[Crystal], engine: Engine, *, relax: bool) -> list[float]:
    """Energies of one batch (eV/atom)."""
    with one_thread():
        if not relax:
            results = engine.evaluate(batch)
            return [item.energy / len(c) for item, c in zip(results, batch, strict=True)]
        documents = relax_batch(batch, RelaxOptions(keep_trajectory=False), engine)
    return [
        np.nan if doc.energy_per_atom is None or not doc.state.usable else doc.energy_per_atom
        for doc in documents
    ]


def elemental_energies(engine: Engine, state: Path) -> NDArray[np.float64]:
    """Energies of the relaxed elemental references (eV/atom), by atomic number.

    Returns
    -------
    Shape ``(MAX_Z + 1,)``; NaN for an element without a reference structure, or that the
    potential does not know.
    """
    structures: dict[str, Structure] = {}
    for symbol in symbols()[1:]:
        try:
            structures |= elemental_structures([symbol])
        except InputError:  # there is no structure of it
            continue
    energies = np.full(MAX_Z + 1, np.nan)
    crystals = [Crystal.from_structure(structure) for structure in structures.values()]
    numbers = [atomic_number(symbol) for symbol in structures]
    energies[numbers] = potential_energies(crystals, engine, relax=True, state=state)
    return energies
