"""Reading crystal structures from files; one unreadable file never stops the others."""

from __future__ import annotations

import json
import re
import warnings
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from screening.elements import symbols
from screening.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pymatgen.core import Structure

SUFFIXES = {".cif", ".vasp", ".poscar", ".xyz", ".extxyz", ".json", ".parquet"}
"""File types; files called POSCAR or CONTCAR are read too."""
COLUMNS = ("atomic_numbers", "lattice", "frac_coords")
"""Columns of a parquet file."""
SHORTEST = 0.5
"""Atoms closer than this (Angstrom) are a fault of the file."""


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
        A CIF (every block), POSCAR or (ext)xyz file, a JSON file of pymatgen structures or entries,
        a parquet file with `atomic_numbers`, `lattice` and `frac_coords`, or a folder of such
        files.

    Yields
    ------
    Structures of elements and positions only (see `read_one`), and what cannot be used.

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
                yield from _read(file)
        except Exception as error:  # noqa: BLE001 - parsers raise anything on a broken file
            yield ReadStructure(str(file), reason=_because(error))


def read_one(label: str, build: Callable[[], Structure]) -> ReadStructure:
    """Build one structure and refuse what the platform cannot use.

    Parameters
    ----------
    label
        Where it comes from.
    build
        Makes the structure; whatever it raises is the reason why there is none.

    Returns
    -------
    The structure without oxidation states, spins and properties, or the reason.
    """
    from pymatgen.core import Structure

    try:
        read = build()
        reason = _unusable(read)
    except Exception as error:  # noqa: BLE001 - parsers raise anything on broken content
        reason = _because(error)
    if reason:
        return ReadStructure(label, reason=reason)
    names = [site.specie.symbol for site in read]
    return ReadStructure(label, Structure(read.lattice, names, read.frac_coords))


def _unusable(structure: Structure) -> str | None:
    """Say why a structure cannot be used."""
    if not len(structure):
        return "holds no atoms"
    if not structure.is_ordered:
        return "has partly occupied sites"
    unknown = {site.specie.symbol for site in structure} - set(symbols())
    if unknown:
        return f"holds {', '.join(sorted(unknown))}: not among the elements H to Lr"
    return _bad_geometry(structure)


def _bad_geometry(structure: Structure) -> str | None:
    """Find cells and positions that make no crystal; spglib crashes on what is not finite."""
    numbers = (structure.lattice.matrix, structure.frac_coords)
    if not all(np.isfinite(array).all() for array in numbers):
        return "has numbers that are not finite"
    if structure.volume < SHORTEST**3 * len(structure):
        return f"has a cell of {structure.volume:.3g} Angstrom^3 for {len(structure)} atoms"
    if not structure.is_valid(tol=SHORTEST):
        return f"has atoms closer than {SHORTEST} Angstrom"
    return None


def _because(error: Exception) -> str:
    text = " ".join(str(error).split())[:200]
    if isinstance(error, KeyError):
        return f"has no {text}"
    return text or f"is unreadable ({type(error).__name__})"


def _known(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES or path.stem in {"POSCAR", "CONTCAR"}


def _read(file: Path) -> Iterator[ReadStructure]:
    suffix = file.suffix.lower()
    if suffix == ".json":
        yield from _read_json(file)
    elif suffix == ".parquet":
        yield from _read_parquet(file)
    elif suffix in {".xyz", ".extxyz"}:
        yield from _read_xyz(file)
    elif suffix == ".cif":
        yield from _read_cif(file)
    else:
        yield read_one(str(file), lambda: _from_poscar(file.read_text(encoding="utf-8")))


def _read_cif(file: Path) -> Iterator[ReadStructure]:
    """Read every block that holds atoms; databases add blocks that hold only texts."""
    text = file.read_text(encoding="utf-8", errors="replace")
    parts = re.split(r"^\s*data_", text, flags=re.MULTILINE)[1:]
    blocks = [f"data_{part}" for part in parts if "_atom_site_" in part] or [text]
    for block in blocks:
        name = block.split(maxsplit=1)[0].removeprefix("data_") if len(blocks) > 1 else ""
        yield read_one(f"{file}#{name}" if name else str(file), partial(_from_cif, block))


def _from_cif(text: str) -> Structure:
    from pymatgen.io.cif import CifParser

    parser = CifParser.from_str(text)
    try:
        structure: Structure = parser.parse_structures(primitive=False)[0]
    except ValueError as error:
        raise ValueError("; ".join([*parser.warnings, str(error)])) from None
    return structure


def _from_poscar(text: str) -> Structure:
    from pymatgen.io.vasp import Poscar

    poscar = Poscar.from_str(text)
    if not poscar.true_names:  # pymatgen would call them H, He, Li, ...
        raise ValueError("names no elements (a POSCAR of VASP 4): write them above the numbers")
    structure: Structure = poscar.structure
    return structure


def _read_xyz(file: Path) -> Iterator[ReadStructure]:
    from ase.io import iread
    from pymatgen.io.ase import AseAtomsAdaptor

    for number, atoms in enumerate(iread(file)):
        label = f"{file}#{number}"
        if atoms.cell.rank != 3 or not atoms.pbc.all():
            yield ReadStructure(label, reason="is not periodic in three directions")
        else:
            atoms.calc = None
            yield read_one(label, partial(AseAtomsAdaptor.get_structure, atoms))


def _read_json(file: Path) -> Iterator[ReadStructure]:
    """Read pymatgen structures, or anything with a `structure` inside, single or in a list."""
    from pymatgen.core import Structure

    content: Any = json.loads(file.read_text(encoding="utf-8"))
    for number, item in enumerate(content if isinstance(content, list) else [content]):
        label = f"{file}#{number}"
        if isinstance(item, dict):
            found = item.get("structure", item)
            yield read_one(label, partial(Structure.from_dict, found))
        else:
            yield ReadStructure(label, reason="is not a structure")


def _read_parquet(file: Path) -> Iterator[ReadStructure]:
    """Read the columns `atomic_numbers` (n,), `lattice` (9,) and `frac_coords` (3n,)."""
    import pandas as pd

    table = pd.read_parquet(file)
    missing = [name for name in COLUMNS if name not in table]
    if missing:
        yield ReadStructure(str(file), reason=f"has no column {', '.join(missing)}")
        return
    for number, row in enumerate(table.itertuples(index=False)):
        name = getattr(row, "material_id", number)
        yield read_one(f"{file}#{name}", partial(_from_row, row))


def _from_row(row: Any) -> Structure:
    from pymatgen.core import Structure

    lattice = np.asarray(row.lattice, dtype=float).reshape(3, 3)
    coordinates = np.asarray(row.frac_coords, dtype=float).reshape(-1, 3)
    return Structure(lattice, np.asarray(row.atomic_numbers, dtype=int).tolist(), coordinates)
