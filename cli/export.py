"""Structures as files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pymatgen.core import Structure

from dashboard.exports import crystal_text
from screening.errors import InputError
from stores.queries.documents import CURRENT, MAX_PAGE, find
from stores.queries.lineage import get_document

if TYPE_CHECKING:
    from pathlib import Path

    from stores import Database

FORMATS = ("cif", "poscar", "extxyz", "json")


def write_structures(
    database: Database,
    identifiers: list[str],
    filter_text: str | None,
    file_format: str,
    folder: Path,
) -> list[Path]:
    """Write materials or structures, one file each, named formula and identifier.

    Parameters
    ----------
    database
        The database.
    identifiers
        Materials or structures.
    filter_text
        Further materials, by a filter.
    file_format
        cif (with the symmetry), poscar, extxyz, or pymatgen's json.
    folder
        Made if needed.

    Returns
    -------
    The files.

    Raises
    ------
    InputError
        If the format is unknown, nothing was named, or a document has no structure.
    """
    if file_format not in FORMATS:
        raise InputError(f"--format {file_format!r} must be one of {sorted(FORMATS)}")
    names = list(identifiers)
    if filter_text is not None:
        names += _matching(database, filter_text)
        if not names:
            raise InputError(f"no material matches {filter_text!r}: try `screening query` first")
    if not names:
        raise InputError("nothing to export: give identifiers, or --filter")
    folder.mkdir(parents=True, exist_ok=True)
    return [_write(database, name, file_format, folder) for name in dict.fromkeys(names)]


def _matching(database: Database, filter_text: str) -> list[str]:
    """List the materials that match a filter, over all pages."""
    names: list[str] = []
    after = None
    while True:
        page = find(
            database, filter_text, fields=["material_id"], limit=MAX_PAGE, after=after,
            criteria=CURRENT,
        )  # fmt: skip
        names += [row["material_id"] for row in page.rows]
        after = page.after
        if after is None:
            return names


def _write(database: Database, identifier: str, file_format: str, folder: Path) -> Path:

    _, row = get_document(database, identifier)
    if "structure" not in row:
        raise InputError(f"{identifier!r} has no structure: give a material or a structure")
    structure = Structure.from_dict(row["structure"])
    formula = structure.composition.reduced_formula
    name = row.get("material_id") or row["structure_id"]  # `identifier` may be abbreviated
    path = folder / f"{formula}_{name}.{file_format}"
    path.write_text(crystal_text(structure, row, file_format), encoding="utf-8")
    return path
