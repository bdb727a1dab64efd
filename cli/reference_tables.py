"""`screening references table | place | reaction`: tables of known compounds."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.formatting import console, print_json, show
from cli.types import CsvFlag, JsonFlag
from db_config import get_settings
from screening.checkpoints import set_checkpoint_folder
from screening.composition import chemical_system, pretty_formula
from screening.references import ReferenceTable, place_compositions, reference_table
from screening.references.extend import extend_table
from screening.references.reactions import reaction

if TYPE_CHECKING:
    from screening.references.diagram import Placement

TableOption = Annotated[
    str, typer.Option("--table", help="Table: 'bundled', or the name of your own.")
]
EnergyOption = Annotated[
    float | None,
    typer.Option(help="Formation energy on the table's scale (eV/atom); left out: the table's."),
]


def register(group: typer.Typer) -> None:
    """Add the commands to the group `references`."""
    group.command("table")(make_table)
    group.command("place")(place)
    group.command("reaction")(show_reaction)


def make_table(
    file: Annotated[
        Path, typer.Argument(help="Parquet with formula and formation_energy_per_atom (eV).")
    ],
    name: Annotated[str, typer.Option(help="Name of the table, for `hull: {reference: NAME}`.")],
    date: Annotated[str, typer.Option(help="What state of its source the file is.")],
    replace: Annotated[
        bool, typer.Option("--replace", help="Without the compounds of the bundled table.")
    ] = False,
    scale: Annotated[str, typer.Option(help="Scale of the energies.")] = "MP2020",
    origin: Annotated[str, typer.Option(help="Where the file is from.")] = "not stated",
    licence: Annotated[str, typer.Option(help="Licence of the file.")] = "not stated",
) -> None:
    """Make a table of your own: the bundled one with the compounds of a file, or these alone."""
    card = extend_table(
        None if replace else reference_table(),
        file,
        get_settings().checkpoint_dir / name,
        date=date,
        scale=scale,
        origin=origin,
        licence=licence,
    )
    console.print(
        f"{card.metrics['compositions']} compositions, {card.metrics['of_the_file']} of them of "
        f"{file.name}: campaigns use the table with hull: {{reference: {name}}}",
        markup=False,
    )


def place(
    formulas: Annotated[list[str], typer.Argument(help="Formulas, such as Li2S MnS4.")],
    energy: EnergyOption = None,
    table: TableOption = "bundled",
    as_json: JsonFlag = False,
    as_csv: CsvFlag = False,
) -> None:
    """Compare compositions with the known compounds: distance, decomposition, completeness."""
    references = _table(table)
    rows = [
        _row(references, formula, placement, energy)
        for formula, placement in zip(
            formulas, place_compositions(references, formulas), strict=True
        )
    ]
    show(rows, {name: name for name in rows[0]}, as_json=as_json, as_csv=as_csv)
    if not (as_json or as_csv):
        console.print(f"against {references.source}, scale {references.scale}", markup=False)


def _row(
    references: ReferenceTable, formula: str, placement: Placement, energy: float | None
) -> dict[str, Any]:
    """One line of the listing."""
    value = placement.known_energy if energy is None else energy
    counts = references.completeness(chemical_system(formula).split("-"))
    products = {pretty_formula(name): share for name, share in placement.products.items()}
    return {
        "formula": formula,
        "known": placement.known_energy is not None,
        "E_form (eV/atom)": value,
        "E_hull (eV/atom)": None if value is None else placement.above_hull(value),
        "E_decomposition (eV/atom)": (
            None if value is None else placement.decomposition_enthalpy(value)
        ),
        "decomposes to": " + ".join(f"{share:.3f} {name}" for name, share in products.items()),
        "references": sum(counts.values()),
        "systems without": ", ".join(system for system, count in counts.items() if not count),
    }


def show_reaction(
    product: Annotated[str, typer.Argument(help="What is made, such as LiMnS2.")],
    precursors: Annotated[
        list[str] | None, typer.Argument(help="What of; left out: the elements.")
    ] = None,
    energy: EnergyOption = None,
    table: TableOption = "bundled",
    as_json: JsonFlag = False,
) -> None:
    """Balance a reaction and compute its energy at 0 K from the known compounds."""
    references = _table(table)
    result = reaction(references, product, precursors or (), energy=energy)
    if as_json:
        print_json(asdict(result) | {"references": references.source})
        return
    console.print(
        f"{result}: {result.energy_per_atom:.3f} eV/atom, {result.energy:.3f} eV a formula unit, "
        f"by {references.source}",
        markup=False,
    )


def _table(name: str) -> ReferenceTable:
    """Load a table, also of the user's folder."""
    set_checkpoint_folder(get_settings().checkpoint_dir)
    return reference_table(name)
