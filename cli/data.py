"""`screening query`, `show`, `lineage`, `export`: what is in the database."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.tree import Tree

from cli.export import write_structures
from cli.formatting import (
    cell,
    console,
    errors,
    material_columns,
    material_notes,
    material_row,
    print_json,
    show,
)
from cli.types import CsvFlag, JsonFlag
from screening.errors import InputError
from stores import open_database
from stores.queries import lineage as module
from stores.queries.documents import CURRENT, MATERIAL_FIELDS, count, find
from stores.queries.lineage import get_document

if TYPE_CHECKING:
    from rich.tree import Tree

    from stores.queries.lineage import LineageNode

Collection = Annotated[
    str, typer.Option("--in", help="materials, candidates or structures.", show_default=True)
]
DEFAULTS = {
    "materials": ("energy_above_hull", None),
    "candidates": (
        "rank",
        ["candidate_id", "formula", "rank", "score", "stage", "campaign_id"],
    ),
    "structures": (
        "structure_id",
        ["structure_id", "formula", "stage", "role", "nsites", "state", "duplicate_of"],
    ),
}


def query(
    filter_text: Annotated[
        str,
        typer.Argument(
            metavar="FILTER",
            help='In the OPTIMADE grammar: elements HAS ALL "Mn","S" AND energy_above_hull<0.05',
        ),
    ] = "",
    collection: Collection = "materials",
    sort: Annotated[str | None, typer.Option(help="Field; a leading - for descending.")] = None,
    limit: Annotated[int, typer.Option(help="Rows.", min=1, max=10000)] = 50,
    after: Annotated[str | None, typer.Option(help="Token of the next page.")] = None,
    superseded: Annotated[
        bool,
        typer.Option(help="Also list crystals that another crystal or a newer hull has replaced."),
    ] = False,
    as_json: JsonFlag = False,
    as_csv: CsvFlag = False,
) -> None:
    """List materials (or candidates, structures) that match a filter."""
    if collection not in DEFAULTS:
        raise InputError(f"--in {collection!r} must be one of {sorted(DEFAULTS)}")
    order, fields = DEFAULTS[collection]
    page = find(
        open_database(),
        filter_text,
        collection=collection,
        fields=fields or MATERIAL_FIELDS,
        sort=sort or order,
        limit=limit,
        after=after,
        criteria=CURRENT if collection == "materials" and not superseded else None,
    )
    rows = [material_row(row) for row in page.rows]
    notes = errors if as_json or as_csv else console  # beside the data where a program reads them
    if fields:
        columns = {field: field for field in fields}
    elif as_json or as_csv:
        names = [name.replace("symmetry", "space_group") for name in MATERIAL_FIELDS]
        columns = dict(zip(names, names, strict=True))
    else:
        columns = material_columns(rows)
    show(rows, columns, as_json=as_json, as_csv=as_csv)
    if not fields:
        for line in material_notes(rows) or _replaced(filter_text, shown=superseded):
            notes.print(line, markup=False, highlight=False)
    if page.after:
        notes.print(f"more: --after {page.after}", highlight=False)


def _replaced(filter_text: str, *, shown: bool) -> list[str]:
    """Say of an empty list that all that match have been replaced."""
    n = 0 if shown else count(open_database(), filter_text)
    return [f"{n} that match have been replaced: --superseded lists them"] if n else []


def show_document(
    identifier: Annotated[str, typer.Argument(metavar="ID", help="Any identifier.")],
) -> None:
    """Print one document as JSON (arrays are left out)."""
    _, row = get_document(open_database(), identifier)
    print_json(row)


def lineage(
    identifier: Annotated[
        str, typer.Argument(metavar="ID", help="Material, structure, candidate.")
    ],
    as_json: JsonFlag = False,
) -> None:
    """Walk back from a discovery to the sample that it came from."""
    node = module.lineage(open_database(), identifier)
    if as_json:
        print_json(node.as_dict())
    else:
        console.print(_tree(node), soft_wrap=False)


def _tree(node: LineageNode, parent: Tree | None = None) -> Tree:

    facts = "\n".join(
        f"  {name}: {escape(cell(value))}"
        for name, value in node.facts.items()
        if value not in (None, [], "") and name != "origins"
    )
    origins = "".join(
        f"\n  proposed by {escape(origin['method'])} {origin['version']}, rank {origin['rank']}"
        + (f", template {escape(str(origin['template']))}" if origin["template"] else "")
        for origin in node.facts.get("origins", [])
    )
    label = f"[bold]{node.kind}[/] {node.identifier}\n[dim]{facts}{origins}[/]"
    tree = parent.add(label) if parent else Tree(label)
    for item in node.parents:
        _tree(item, tree)
    return tree


def export(
    identifiers: Annotated[
        list[str] | None, typer.Argument(metavar="ID...", help="Materials or structures.")
    ] = None,
    file_format: Annotated[
        str, typer.Option("--format", "-f", help="cif, poscar, extxyz or json.")
    ] = "cif",
    filter_text: Annotated[
        str | None, typer.Option("--filter", help="All materials that match, instead of IDs.")
    ] = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder.")] = Path("export"),
) -> None:
    """Write structures to files."""
    paths = write_structures(open_database(), identifiers or [], filter_text, file_format, out)
    console.print(f"wrote {len(paths)} files to {out}", markup=False)
