"""Frames of extended XYZ: cell, species and positions; every other quantity is passed over.

https://github.com/libAtoms/extxyz. Energies, forces and stresses are not taken over, so that their
many spellings (six numbers or nine) do not matter.
"""

from __future__ import annotations

import re
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from screening.elements import symbols
from screening.readers import limits
from screening.readers.crystal import RawCrystal, ReadStructure, because, read_one

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_PAIR = re.compile(r"""([\w-]+)\s*=\s*("[^"]*"|'[^']*'|\{[^}]*\}|\[\[?[^\]]*\](?:[^\]]*\])*|\S+)""")
_DEFAULT = "species:S:1:pos:R:3"
_LONGEST_LINE = 20_000
"""Characters of a line; a frame's comment holds some hundreds."""
_TRUE = {"T", "TRUE", "1"}


def read_xyz(file: Path) -> Iterator[ReadStructure]:
    """Read every frame, one at a time; a frame that is cut off ends the file.

    Parameters
    ----------
    file
        An xyz or extxyz file.

    Yields
    ------
    A crystal for each frame that is periodic in three directions, or why there is none.
    """
    limits.check_file(file)
    with file.open(encoding="utf-8-sig", errors="replace") as lines:
        number = 0
        while (first := lines.readline(_LONGEST_LINE)) and (first.strip() or number == 0):
            label = f"{file}#{number}"
            try:
                comment, rows = _frame(lines, first)
            except ValueError as error:
                yield ReadStructure(label, reason=because(error))
                return
            yield read_one(label, partial(_crystal, comment, rows))
            number += 1


def _frame(lines: Iterator[str], first: str) -> tuple[str, list[str]]:
    """Take the comment and the rows of a frame.

    Raises
    ------
    ValueError
        If the number of atoms is none or too large, or rows are missing.
    """
    if not re.fullmatch(r"\s*\d{1,9}\s*", first):
        raise ValueError(f"has {limits.excerpt(first)!r} where the number of atoms belongs")
    n_atoms = int(first)
    if n_atoms > limits.MAX_ATOMS:
        raise ValueError(f"has {n_atoms} atoms, at most {limits.MAX_ATOMS} are read")
    rows = list(islice(lines, n_atoms + 1))
    if len(rows) <= n_atoms:
        raise ValueError(f"ends after {max(len(rows) - 1, 0)} of {n_atoms} atoms")
    return rows[0], rows[1:]


def _crystal(comment: str, rows: list[str]) -> RawCrystal:
    if len(comment) > _LONGEST_LINE:
        raise ValueError(f"has a comment of more than {_LONGEST_LINE} characters")
    values = {key.lower(): value.strip("\"'") for key, value in _PAIR.findall(comment)}
    if "lattice" not in values or not _is_periodic(values.get("pbc", "T T T")):
        raise ValueError("is not periodic in three directions")
    numbers = re.findall(r"[^\s,\[\]{}]+", values["lattice"])
    if len(numbers) not in {3, 9}:
        raise ValueError(f"has a lattice of {len(numbers)} numbers, not 9")
    lattice = np.array([float(number) for number in numbers])
    lattice = lattice.reshape(3, 3) if len(lattice) == 9 else np.diag(lattice)
    columns = _columns(values.get("properties", _DEFAULT))
    names = [_species(row.split(), columns) for row in rows]
    triples = [row.split()[columns["pos"] :][:3] for row in rows]
    if not rows:
        raise ValueError("holds no atoms")
    if any(len(triple) < 3 for triple in triples):
        raise ValueError("has a row with fewer than three coordinates")
    cartesian = np.array(triples, dtype=float)
    if not np.isfinite(lattice).all() or abs(np.linalg.det(lattice)) < limits.SHORTEST**3:
        raise ValueError("has a cell without volume")
    return RawCrystal.of(lattice, names, cartesian @ np.linalg.inv(lattice))


def _is_periodic(text: str) -> bool:
    flags = re.findall(r"[A-Za-z0-9]+", text)
    return len(flags) == 3 and all(flag.upper() in _TRUE for flag in flags)


def _columns(text: str) -> dict[str, int]:
    """Find the column in which each property starts."""
    fields = text.split(":")
    if len(fields) % 3 or any(not width.isdigit() for width in fields[2::3]):
        raise ValueError(f"has Properties that cannot be read: {limits.excerpt(text)}")
    starts, column = {}, 0
    for name, width in zip(fields[::3], fields[2::3], strict=True):
        starts[name.lower()] = column
        column += int(width)
    if "pos" not in starts or not {"species", "z", "numbers"} & set(starts):
        raise ValueError("has no columns 'species' and 'pos' among its Properties")
    return starts


def _species(words: list[str], columns: dict[str, int]) -> str:
    """Symbol in a row, by name or by atomic number."""
    column = next(columns[name] for name in ("species", "z", "numbers") if name in columns)
    if column >= len(words):
        raise ValueError("has rows that are shorter than its Properties")
    if not words[column].isdigit():
        return words[column]
    number = int(words[column]) if len(words[column]) < 4 else 0
    if not 0 < number < len(symbols()):
        raise ValueError(f"holds an atom of number {limits.excerpt(words[column])}")
    return symbols()[number]
