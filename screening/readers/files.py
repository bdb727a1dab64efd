"""Reading crystal structures from files; one unreadable file never stops the others."""

from __future__ import annotations

import re
import warnings
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from screening.elements import symbols
from screening.errors import InputError
from screening.readers import limits
from screening.readers.cif import read_cif
from screening.readers.crystal import (
    DEUTERIUM,
    RawCrystal,
    ReadStructure,
    because,
    element_of,
    is_isotope,
    raw_of,
    read_one,
)
from screening.readers.extxyz import read_xyz
from screening.readers.json_files import read_json

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["COLUMNS", "SUFFIXES", "ReadStructure", "read_one", "read_structures"]

SUFFIXES = {".cif", ".vasp", ".poscar", ".xyz", ".extxyz", ".json", ".parquet"}
"""File types; files called POSCAR or CONTCAR, with anything before or behind, are read too."""
COLUMNS = ("atomic_numbers", "lattice", "frac_coords")
"""Columns of a parquet file."""
ROWS = 512
"""Rows of a parquet file that are held at once."""
_VASP = re.compile(r"((poscar|contcar)([._-].*)?|.*[._-](poscar|contcar))", re.IGNORECASE)
_FORTRAN = re.compile(r"(?<=[\d.])[dD](?=[+-]?\d)")


def read_structures(path: Path, passed_over: list[Path] | None = None) -> Iterator[ReadStructure]:
    """Read a file, or all files of a folder and the folders in it.

    Parameters
    ----------
    path
        A CIF (every block), POSCAR or (ext)xyz file, a JSON file of pymatgen structures or entries,
        a parquet file with `atomic_numbers`, `lattice` and `frac_coords`, or a folder of such
        files.
    passed_over
        Gets the files of a folder that are of no known type, hidden ones left out.

    Yields
    ------
    Structures of elements and positions only (see `read_one`), and what cannot be used.

    Raises
    ------
    InputError
        If there is no such file, it is of an unknown type or no regular file, or a folder holds no
        structure file.
    """
    if path.is_dir():
        present = sorted(file for file in path.rglob("*") if not file.is_dir())
        files = [file for file in present if file.is_file() and _known(file)]
        if not files:
            raise InputError(f"{path} holds no structure file ({', '.join(sorted(SUFFIXES))})")
        if passed_over is not None:
            hidden = {file for file in present if file.name.startswith(".")}
            passed_over.extend(file for file in present if file not in {*files, *hidden})
    else:
        limits.check_file(path)
        if not _known(path):
            raise InputError(f"{path} is of no known type: use {', '.join(sorted(SUFFIXES))}")
        files = [path]
    for file in files:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                yield from _read(file)
        except Exception as error:  # noqa: BLE001 - parsers raise anything on a broken file
            yield ReadStructure(str(file), reason=because(error))


def _known(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES or bool(_VASP.fullmatch(path.name))


def _read(file: Path) -> Iterator[ReadStructure]:
    suffix = file.suffix.lower()
    if suffix == ".json":
        yield from read_json(file)
    elif suffix == ".parquet":
        yield from _read_parquet(file)
    elif suffix in {".xyz", ".extxyz"}:
        yield from read_xyz(file)
    elif suffix == ".cif":
        yield from read_cif(file)
    else:
        yield read_one(str(file), lambda: _from_poscar(limits.read_text(file)))


def _from_poscar(text: str) -> RawCrystal:
    from pymatgen.io.vasp import Poscar

    lines = text.split("\n")
    lines[1:5] = [_FORTRAN.sub("E", line) for line in lines[1:5]]
    lines[6:] = [_FORTRAN.sub("E", line) for line in lines[6:]]
    _check_counts(lines)
    if len(lines[1].split()) > 1 and not lines[1].split()[1].startswith(("!", "#")):
        raise ValueError("has several scale factors: multiply the cell by them and write one")
    for name in lines[5].split():
        symbol = re.split("[/_]", name)[0]  # Sr_sv/3a1d of VASP 6
        if not symbol.isdigit() and element_of(symbol) is None:
            raise ValueError(f"holds {limits.excerpt(symbol)}: not among the elements H to Lr")
    poscar = Poscar.from_str("\n".join(lines))
    if not poscar.true_names:  # pymatgen would call them H, He, Li, ...
        raise ValueError("names no elements (a POSCAR of VASP 4): write them above the numbers")
    raw = raw_of(poscar.structure)
    notes = (DEUTERIUM,) if any(map(is_isotope, lines[5].split())) else ()
    return RawCrystal(raw.lattice, raw.species, raw.frac_coords, notes)


def _check_counts(lines: list[str]) -> None:
    """Refuse numbers of atoms that the lines below cannot hold."""
    row = next((k for k in (5, 6) if k < len(lines) and _are_counts(lines[k])), None)
    if row is None:
        raise ValueError("has no line with the numbers of atoms")
    n_atoms = sum(int(word) for word in lines[row].split())
    if n_atoms > limits.MAX_ATOMS:
        raise ValueError(f"has {n_atoms} atoms, at most {limits.MAX_ATOMS} are read")
    rows = [line for line in lines[row + 1 :] if len(line.split()) > 2]
    if len(rows) < n_atoms:
        raise ValueError(f"gives {n_atoms} atoms but {len(rows)} positions")


def _are_counts(line: str) -> bool:
    words = line.split()
    return bool(words) and all(re.fullmatch(r"\d{1,9}", word) for word in words)


def _read_parquet(file: Path) -> Iterator[ReadStructure]:
    """Read the columns `atomic_numbers` (n,), `lattice` (9,) and `frac_coords` (3n,)."""
    import pyarrow.parquet as pq

    table = pq.ParquetFile(file)
    names = set(table.schema_arrow.names)
    missing = [name for name in COLUMNS if name not in names]
    if missing:
        yield ReadStructure(str(file), reason=f"has no column {', '.join(missing)}")
        return
    columns = [*COLUMNS, *({"material_id"} & names)]
    number = 0
    for batch in table.iter_batches(batch_size=ROWS, columns=columns):
        for row in batch.to_pylist():
            name = limits.excerpt(str(row.get("material_id", number)))
            yield read_one(f"{file}#{name}", partial(_from_row, row))
            number += 1


def _from_row(row: dict[str, Any]) -> RawCrystal:
    lattice = np.asarray(row["lattice"], dtype=float).reshape(3, 3)
    coords = np.asarray(row["frac_coords"], dtype=float).reshape(-1, 3)
    names = []
    for number in row["atomic_numbers"]:
        if number != int(number) or not 0 < number < len(symbols()):
            raise ValueError(f"holds an atom of number {number}")
        names.append(symbols()[int(number)])
    return RawCrystal.of(lattice, names, coords)
