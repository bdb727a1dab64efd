"""Files: tables as CSV, crystals as CIF, POSCAR and JSON."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from typing import TYPE_CHECKING, Annotated, Literal

from fastapi import APIRouter, Query
from starlette.responses import Response, StreamingResponse

from dashboard.api.answers import cell
from dashboard.api.routes import Data, Material
from dashboard.cif import cif_text
from dashboard.pages.columns import PageQuery
from stores.queries import listings
from stores.queries.listings import DiscoveryQuery
from stores.queries.material_detail import structures_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from stores import Database

router = APIRouter(tags=["files"])
MAX_CSV = 100_000
MAX_ZIP = 1000
FIELDS = (
    "material_id", "formula_pretty", "chemsys", "space_group_number", "space_group_symbol",
    "nsites", "density", "formation_energy_per_atom", "energy_above_hull", "is_stable",
    "dynamic_stability", "known", "method", "energy_source", "last_updated",
)  # fmt: skip


@router.get("/discoveries.csv")
def discoveries_csv(database: Data, query: Annotated[PageQuery, Query()]) -> StreamingResponse:
    """Write the crystals that match as CSV, up to 100,000."""
    return StreamingResponse(
        _csv_lines(database, query.discoveries()),
        media_type="text/csv",
        headers={"content-disposition": 'attachment; filename="discoveries.csv"'},
    )


def _csv_lines(database: Database, query: DiscoveryQuery) -> Iterator[str]:
    yield _line(FIELDS)
    for row in _all(database, query, MAX_CSV):
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


@router.get("/discoveries.zip")
def discoveries_zip(database: Data, query: Annotated[PageQuery, Query()]) -> Response:
    """Pack the CIF files of the crystals that match, up to 1000, in the order of the list."""
    names = [row["material_id"] for row in _all(database, query.discoveries(), MAX_ZIP)]
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, formula, structure in structures_of(database, names):
            archive.writestr(f"{formula}_{name}.cif", cif_text(structure))
    return Response(
        buffer.getvalue(),
        media_type="application/zip",
        headers={"content-disposition": 'attachment; filename="discoveries.zip"'},
    )


@router.get("/materials/{material_id}/file.{file_format}")
def material_file(
    material: Material,
    file_format: Literal["cif", "poscar", "json"],
    which: Annotated[Literal["own", "conventional"], Query(alias="cell")] = "own",
) -> Response:
    """Write one crystal; CIF is always the conventional cell with its symmetry."""
    structure = cell(material, which)
    if file_format == "cif":
        text, kind = cif_text(structure), "chemical/x-cif"
    elif file_format == "poscar":
        text, kind = structure.to(fmt="poscar"), "text/plain"
    else:
        text, kind = json.dumps(structure.as_dict(), default=str), "application/json"
    name = f"{material.formula_pretty}_{material.material_id}.{file_format}"
    return Response(
        text, media_type=kind, headers={"content-disposition": f'attachment; filename="{name}"'}
    )
