"""`screening bank`: prototype banks, and how users extend them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.formatting import console, errors, print_json, show
from cli.progress import stage_bars
from cli.references import print_passed_over
from cli.types import JsonFlag, Quiet, SeedOption
from db_config import get_settings
from flows.imports import LICENCES, elements_of, open_source
from screening.checkpoints import read_card, set_checkpoint_folder
from screening.prototypes.extend_checkpoint import Addition, add_to_bank
from screening.prototypes.summary import describe_prototype, summarise
from screening.structure import Bank

if TYPE_CHECKING:
    from screening.checkpoints import Card
    from screening.prototypes.extend import Extension

group = typer.Typer(help="Prototype banks.", no_args_is_help=True)
SHOWN = 20
"""Refused structures that are listed one by one."""


@group.command("add")
def add(
    source: Annotated[
        str, typer.Argument(help="A file or folder of structures, 'mp', or 'optimade'.")
    ],
    out: Annotated[str, typer.Option("--out", "-o", help="Name of your bank.")],
    base: Annotated[
        str | None,
        typer.Option(help="Bank that is extended; left out: yours if there is one, else bundled."),
    ] = None,
    chemsys: Annotated[
        str | None, typer.Option(help="Chemical system: Li-Mn-S; needed for mp and optimade.")
    ] = None,
    url: Annotated[str | None, typer.Option(help="Base URL of the OPTIMADE provider.")] = None,
    max_atoms: Annotated[
        int | None, typer.Option(help="Most atoms in a primitive cell.", min=1)
    ] = None,
    licence: Annotated[str | None, typer.Option(help="Licence of the data, for the card.")] = None,
    fit: Annotated[
        bool, typer.Option("--fit", help="Learn anew which elements replace each other.")
    ] = False,
    seed: SeedOption = 0,
    as_json: JsonFlag = False,
    quiet: Quiet = False,
) -> None:
    """Extend a bank with crystals; campaigns and `predict` use it by its name."""
    folder = get_settings().checkpoint_dir
    set_checkpoint_folder(folder)
    found = open_source(source, chemsys=chemsys, url=url)
    addition = Addition(
        source=found.name,
        origin=f"{found.kind}: {found.name}",
        licence=licence or LICENCES[found.kind],
        out=folder / out,
        base=base,
        max_atoms=max_atoms,
        elements=frozenset(elements_of(chemsys)) if chemsys else None,
        fit=fit,
        seed=seed,
    )
    with stage_bars(quiet=quiet or as_json):
        card, done = add_to_bank(found.structures, addition)
    print_passed_over(found.passed_over)
    if as_json:
        print_json({"bank": card.name, "sha256": card.sha256, **vars(done), **card.metrics})
        return
    _print_addition(card, done)


def _print_addition(card: Card, done: Extension) -> None:
    """Say what became of the structures, and what the bank holds now."""
    for label, reason in done.refused[:SHOWN]:
        errors.print(f"refused {label}: {reason}", markup=False, soft_wrap=True)
    console.print(
        f"read {done.n_read}: added {done.n_added}, of which {done.n_prototypes} are new "
        f"prototypes; already known {done.n_known}; refused {len(done.refused)}",
        markup=False,
    )
    console.print(
        f"bank {card.name}: {card.metrics['prototypes']} prototypes, "
        f"{card.metrics['decorations']} decorations, sha256 {card.sha256[:12]}; use it with "
        f"`screening predict FORMULA --bank {card.name}`",
        markup=False,
    )


@group.command("show")
def show_bank(
    name: Annotated[str, typer.Argument(help="Name or folder of a bank.")] = "prototypes",
    prototype: Annotated[
        str | None, typer.Option(help="Label of a prototype, such as ABC3_cP5_221_a_b_c-1.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", help="Rows of a table.", min=1)] = 15,
    as_json: JsonFlag = False,
) -> None:
    """Show what a bank holds, or one of its prototypes."""
    set_checkpoint_folder(get_settings().checkpoint_dir)
    bank = Bank.load(name)
    if prototype is not None:
        described = describe_prototype(bank, prototype)
        if as_json:
            print_json(described)
        else:
            for each in described:
                _print_prototype(each, limit)
        return
    summary = summarise(bank, limit) | {"data": [d.model_dump() for d in read_card(name).data]}
    if as_json:
        print_json(summary)
        return
    counts = ", ".join(f"{summary[key]} {key}" for key in ("prototypes", "decorations", "elements"))
    console.print(f"bank {name}: {counts}", markup=False)
    for source in summary["data"]:
        text = f"  {source['rows']} of {source['name']} ({source['origin']}; {source['licence']})"
        console.print(text, markup=False)
    _table(summary["commonest"], "commonest prototypes")
    _table(summary["stoichiometries"], "stoichiometries")


def _table(rows: list[dict[str, Any]], title: str) -> None:
    show(rows, {key: key.replace("_", " ") for key in rows[0]} if rows else {}, title=title)


def _print_prototype(described: dict[str, Any], limit: int) -> None:
    """Print one prototype: geometry, orbits, elements by class."""
    cell = ", ".join(f"{key} {value:.4g}" for key, value in described["cell"].items())
    multiples = ", ".join(f"{z} ({n})" for z, n in described["cell_multiples"].items())
    console.print(f"{described['prototype']}: {described['decorations']} decorations", markup=False)
    console.print(f"  space group {described['space_group']}; {cell}", markup=False)
    console.print(f"  primitive cells in the known cells (how often): {multiples}", markup=False)
    orbits = [
        orbit | {"elements": " ".join(f"{e} {n}" for e, n in [*orbit["elements"].items()][:limit])}
        for orbit in described["orbits"]
    ]
    _table(orbits, "orbits")
