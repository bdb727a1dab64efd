"""Files: tables as CSV, crystals as CIF, POSCAR and JSON."""

from __future__ import annotations

import csv
import io
import zipfile
from itertools import chain, islice
from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastapi import APIRouter, Query
from starlette.responses import Response, StreamingResponse

from dashboard.api.answers import cell
from dashboard.api.routes import Data, Material
from dashboard.exports import crystal_text
from dashboard.pages.columns import PageQuery
from stores.queries import listings
from stores.queries.listings import DiscoveryQuery
from stores.queries.material_detail import structures_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from stores import Database

router = APIRouter(tags=["files"])
MAX_CSV = 100_000
MAX_ZIP = 1000
FIELDS = (
    "material_id", "formula_pretty", "chemsys", "space_group_number", "space_group_symbol",
    "nsites", "density", "formation_energy_per_atom", "energy_above_hull", "is_stable",
    "hull_id", "hull_created", "n_references", "systems_without_reference", "superseded_by",
    "dynamic_stability", "known", "known_source", "method", "energy_source", "pressure",
    "last_updated",
)  # fmt: skip


def _file(kind: str, description: str, *, binary: bool = False) -> dict[int | str, dict[str, Any]]:
    """Declare an answer that is a file."""
    schema = {"type": "string", **({"format": "binary"} if binary else {})}
    return {200: {"description": description, "content": {kind: {"schema": schema}}}}


@router.get(
    "/discoveries.csv",
    response_class=Response,
    responses=_file("text/csv", "One line for each crystal, energies in eV/atom, pressure in GPa"),
)
def discoveries_csv(database: Data, query: Annotated[PageQuery, Query()]) -> Response:
    """Write the crystals that match as CSV, up to 100,000."""
    rows = _all(database, query.discoveries(), MAX_CSV)
    first = list(islice(rows, 1))  # a wrong question is an error, not a file that breaks off
    return StreamingResponse(
        _csv_lines(chain(first, rows)),
        media_type="text/csv",
        headers={"content-disposition": 'attachment; filename="discoveries.csv"'},
    )


def _csv_lines(rows: Iterable[dict[str, Any]]) -> Iterator[str]:
    yield _line(FIELDS)
    for row in rows:
        symmetry = row.get("symmetry") or {}
        row |= {
            "space_group_number": symmetry.get("number"),
            "space_group_symbol": symmetry.get("symbol"),
        }
        yield _line([_text(row.get(name)) for name in FIELDS])


def _text(value: Any) -> Any:
    """Write a value; text that a spreadsheet would run as a formula is quoted."""
    if isinstance(value, str) and value[:1] in {"=", "+", "-", "@", "\t", "\r"}:
        return "'" + value
    if isinstance(value, list):
        return " ".join(map(str, value))
    return value.isoformat() if hasattr(value, "isoformat") else value


def _line(values: Any) -> str:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerow(values)
    return buffer.getvalue()


def _all(database: Database, query: DiscoveryQuery, most: int) -> Iterator[dict[str, Any]]:
    """Yield rows over all pages."""
    query = query.model_copy(update={"limit": listings.MAX_ROWS, "after": None})
    left = most
    while left > 0:
        page = listings.discoveries(database, query)
        yield from page.rows[:left]
        left -= len(page.rows)
        if page.after is None:
            return
        query = query.model_copy(update={"after": page.after})


@router.get(
    "/discoveries.zip",
    response_class=Response,
    responses=_file("application/zip", "One CIF for each crystal", binary=True),
)
def discoveries_zip(database: Data, query: Annotated[PageQuery, Query()]) -> Response:
    """Pack the CIF files of the crystals that match, up to 1000, in the order of the list."""
    names = [row["material_id"] for row in _all(database, query.discoveries(), MAX_ZIP)]
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for row, structure in structures_of(database, names):
            name = f"{row['formula_pretty']}_{row['material_id']}.cif"
            archive.writestr(name, crystal_text(structure, row, "cif"))
    return Response(
        buffer.getvalue(),
        media_type="application/zip",
        headers={"content-disposition": 'attachment; filename="discoveries.zip"'},
    )


KINDS = {"cif": "chemical/x-cif", "poscar": "text/plain", "json": "application/json"}


@router.get(
    "/materials/{material_id}/file.{file_format}",
    response_class=Response,
    responses={
        200: {
            "description": "The crystal, with its identifier, energies, pressure and hull",
            "content": {kind: {} for kind in KINDS.values()},
        }
    },
)
def material_file(
    material: Material,
    file_format: Literal["cif", "poscar", "json"],
    which: Annotated[Literal["own", "conventional"], Query(alias="cell")] = "own",
) -> Response:
    """Write one crystal; CIF is always the conventional cell with its symmetry."""
    row = material.model_dump(mode="python", exclude={"structure"})
    text = crystal_text(cell(material, which), row, file_format)
    name = f"{material.formula_pretty}_{material.material_id}.{file_format}"
    return Response(
        text,
        media_type=KINDS[file_format],
        headers={"content-disposition": f'attachment; filename="{name}"'},
    )
