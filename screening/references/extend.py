"""A user's own table of reference compounds: the bundled one with more, or without."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from screening.checkpoints import Card, DataSource, save_checkpoint
from screening.checkpoints.io import file_sha256
from screening.composition import CompositionArray
from screening.errors import InputError
from screening.references.table import TABLE_CLASS, ReferenceTable, pack
from screening.references.train import crystal_energies, lowest
from screening.training.data import NOT_STATED
from screening.training.environment import package_versions

if TYPE_CHECKING:
    from pathlib import Path

VERSION = "1"


def extend_table(
    base: ReferenceTable | None,
    file: Path,
    folder: Path,
    *,
    date: str,
    scale: str = "MP2020",
    origin: str = NOT_STATED,
    licence: str = NOT_STATED,
) -> Card:
    """Write a table with the compounds of a file, and those of another table that it lacks.

    Parameters
    ----------
    base
        The other table; None for the file alone.
    file
        Parquet with the columns ``formula`` and ``formation_energy_per_atom`` (eV/atom), on the
        scale of `base`. Where both list a composition, the file counts.
    folder
        Folder of the table, which takes its name from it.
    date
        State of the source, such as a year.
    scale
        Name of the scale of the file, which must be that of `base`.
    origin, licence
        Of the file, for the card.

    Raises
    ------
    InputError
        If the file cannot be read, or its scale is another one.
    """
    if base is not None and scale != base.scale:
        raise InputError(
            f"the file is on the scale {scale!r}, {base.ref.name!r} on {base.scale!r}: energies of "
            "two scales are never mixed; replace the table, or fit a map with `screening train "
            "references`"
        )
    energies = lowest(crystal_energies(file))
    values = {name: (energy, 0) for name, energy in energies.items()}
    sources = [file.name]
    if base is not None:
        sources += base.sources
        rows = zip(base.formulas, base.energies.tolist(), base.origins.tolist(), strict=True)
        values = {name: (energy, origin_ + 1) for name, energy, origin_ in rows} | values
        date = f"{date}; {base.date}"
    compositions = CompositionArray.from_formulas(list(values))
    lowest_energies = np.array([energy for energy, _ in values.values()])
    lowest_energies[compositions.n_elements() == 1] = 0.0
    origins = np.array([number for _, number in values.values()], dtype=np.uint8)
    source = DataSource(
        name=file.name, sha256=file_sha256(file), rows=len(energies), origin=origin, licence=licence
    )
    card = Card(
        name=folder.name,
        version=VERSION,
        model=TABLE_CLASS,
        description="Known compositions with the lowest formation energy of each",
        arguments={"scale": scale, "date": date, "sources": sources},
        hyperparameters={"base": base.ref.model_dump() if base else None},
        data=[source],
        split={},
        metrics={"compositions": len(values), "of_the_file": len(energies)},
        seed=0,
        wall_time=0.0,
        device="cpu",
        packages=package_versions("numpy"),
        references=[],
    )
    return save_checkpoint(folder, pack(compositions, lowest_energies, origins), card)
