"""Reading crystal structures from files; one unreadable file never stops the others."""

from __future__ import annotations

import json
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from screening.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pymatgen.core import Structure

SUFFIXES = {".cif", ".vasp", ".poscar", ".xyz", ".extxyz", ".json", ".parquet"}
"""File types; files called POSCAR or CONTCAR are read too."""


@dataclass(frozen=True)
class ReadStructure:
    """One structure of a file, or why it cannot be used.

    Attributes
    ----------
    label
        File, and the place inside it.
    structure
        The structure, or None.
    reason
        Why there is none.
    """

    label: str
    structure: Structure | None = None
    reason: str | None = None


def read_structures(path: Path) -> Iterator[ReadStructure]:
    """Read a file, or all files of a folder and the folders in it.

    Parameters
    ----------
    path
        A CIF, POSCAR, (ext)xyz file, a JSON file of pymatgen structures or entries, a parquet file
        with `atomic_numbers`, `lattice` and `frac_coords`, or a folder of such files.

    Raises
    ------
    InputError
        If there is no such file, it is of an unknown type, or a folder holds no structure file.
    """
    if path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.is_file() and _known(file))
        if not files:
            raise InputError(f"{path} holds no structure file ({', '.join(sorted(SUFFIXES))})")
    elif not path.exists():
        raise InputError(f"no such file: {path}")
    elif not _known(path):
        raise InputError(f"{path} is of no known type: use {', '.join(sorted(SUFFIXES))}")
    else:
        files = [path]
    for file in files:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                yield from map(_checked, _read(file))
        except Exception as error:  # noqa: BLE001 - parsers raise anything on a broken file
            yield ReadStructure(
                str(file), reason=" ".join(f"{error}".split())[:200] or "unreadable"
            )


def _known(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES or path.stem in {"POSCAR", "CONTCAR"}


def _checked(item: ReadStructure) -> ReadStructure:
    """Refuse what the platform cannot use."""
    structure = item.structure
    if structure is None or structure.is_ordered:
        return item
    return ReadStructure(item.label, reason="has partly occupied sites")


def _read(file: Path) -> Iterator[ReadStructure]:
    from pymatgen.core import Structure

    suffix = file.suffix.lower()
    if suffix == ".json":
        yield from _read_json(file)
    elif suffix == ".parquet":
        yield from _read_parquet(file)
    elif suffix in {".xyz", ".extxyz"}:
        from ase.io import iread
        from pymatgen.io.ase import AseAtomsAdaptor

        for number, atoms in enumerate(iread(file)):
            if atoms.cell.rank != 3:
                yield ReadStructure(f"{file}#{number}", reason="has no periodic cell")
                continue
            yield ReadStructure(f"{file}#{number}", AseAtomsAdaptor.get_structure(atoms))
    elif suffix == ".cif":
        yield ReadStructure(str(file), Structure.from_file(file))
    else:
        yield ReadStructure(str(file), Structure.from_str(file.read_text(), fmt="poscar"))


def _read_json(file: Path) -> Iterator[ReadStructure]:
    """Read pymatgen structures, or anything with a `structure` inside, single or in a list."""
    from pymatgen.core import Structure

    content: Any = json.loads(file.read_text(encoding="utf-8"))
    items = content if isinstance(content, list) else [content]
    for number, item in enumerate(items):
        found = item.get("structure", item)
        yield ReadStructure(f"{file}#{number}", Structure.from_dict(found))


def _read_parquet(file: Path) -> Iterator[ReadStructure]:
    """Read the columns `atomic_numbers` (n,), `lattice` (9,) and `frac_coords` (3n,)."""
    import pandas as pd
    from pymatgen.core import Structure

    table = pd.read_parquet(file)
    for number, row in enumerate(table.itertuples(index=False)):
        name = getattr(row, "material_id", number)
        lattice = np.asarray(row.lattice, dtype=float).reshape(3, 3)
        coordinates = np.asarray(row.frac_coords, dtype=float).reshape(-1, 3)
        numbers = np.asarray(row.atomic_numbers, dtype=int).tolist()
        structure = Structure(lattice, numbers, coordinates)
        yield ReadStructure(f"{file}#{name}", structure)
