"""RMSE and MAE of the fractional coordinates of the asymmetric units of two CIF files, as coded.

The rows of the reference are taken in the order of the file. The prediction is expanded by its
symmetry operations element by element (electropositive first) and cut into pieces of the
multiplicities of the *reference*; from each piece the position nearest to the row is taken.
Coordinates are compared as numbers: 0.99 and 0.01 are 0.98 apart, minus signs of the reference are
lost, and another origin, setting or order of rows is an error.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from screening.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

SITE_TOLERANCE = 1e-4
"""Symmetry-equivalent positions closer than this (fractional) are one."""


def wyckoff_errors(reference: str, predicted: str) -> tuple[float, float]:
    """RMSE and MAE over the coordinates of all rows, fractional (no unit); 0 or more.

    Parameters
    ----------
    reference, predicted
        Texts of the two CIF files.

    Raises
    ------
    InputError
        If a file has no atoms, or the files have different numbers of rows, for which the
        authors' tables have 5555.
    """
    rows, other = _rows(reference), _rows(predicted)
    if len(rows["coordinates"]) != len(other["coordinates"]):
        raise InputError(
            f"{len(rows['coordinates'])} and {len(other['coordinates'])} rows of coordinates "
            "cannot be compared (5555 in the authors' tables)"
        )
    target = np.abs(rows["coordinates"])
    positions = _expanded(predicted, other)
    cuts = np.cumsum(rows["multiplicities"])[:-1]
    chosen = np.empty_like(target)
    for i, piece in enumerate(np.split(positions, cuts)):
        if not len(piece):
            raise InputError("the prediction has fewer equivalent positions than the reference")
        chosen[i] = piece[((piece - target[i]) ** 2).mean(axis=1).argmin()]
    errors = chosen - target
    return float(np.sqrt((errors**2).mean())), float(np.abs(errors).mean())


def _rows(text: str) -> dict[str, NDArray[np.generic]]:
    """Elements, multiplicities and coordinates of the rows of the first block with atoms."""
    from pymatgen.io.cif import CifFile

    for block in CifFile.from_str(text).data.values():
        if "_atom_site_fract_x" in block.data:
            names = block.data.get("_atom_site_type_symbol") or block.data["_atom_site_label"]
            n = len(names)
            return {
                "elements": np.array([re.sub(r"[^A-Za-z].*", "", name) for name in names]),
                "multiplicities": np.array(
                    block.data.get("_atom_site_symmetry_multiplicity", ["1"] * n), dtype=np.int64
                ),
                "coordinates": np.array(
                    [
                        [float(v.split("(")[0]) for v in block.data[f"_atom_site_fract_{axis}"]]
                        for axis in "xyz"
                    ]
                ).T,
            }
    raise InputError("the CIF file has no rows of atoms")


def _expanded(text: str, rows: dict[str, NDArray[np.generic]]) -> Floats:
    """All positions of the cell in [0, 1), shape ``(n, 3)``, as the authors' parser orders them."""
    from pymatgen.core import Element
    from pymatgen.io.cif import CifParser

    parser = CifParser.from_str(text)
    block = next(b for b in parser._cif.data.values() if "_atom_site_fract_x" in b.data)  # noqa: SLF001 - the only way to the operations
    operations = parser.get_symops(block)
    elements = sorted(set(rows["elements"].tolist()), key=lambda name: Element(name).X)
    positions: list[Floats] = []
    for element in elements:
        found: list[Floats] = []
        for row in rows["coordinates"][rows["elements"] == element]:
            for operation in operations:
                point = np.asarray(operation.operate(row), dtype=np.float64)
                point -= np.floor(point)
                gaps = np.array([*found, np.full(3, 9.5)]) - point
                if (np.abs(gaps - np.round(gaps)).max(axis=1)[: len(found)] > SITE_TOLERANCE).all():
                    found.append(point)
        positions.extend(found)
    return np.array(positions)
