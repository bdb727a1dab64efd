"""`screening predict`: one composition to ranked crystals."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.export import write_structures
from cli.formatting import console, errors, show
from cli.progress import stage_bars
from cli.types import CsvFlag, JsonFlag, Quiet, SeedOption
from db_config import get_settings
from flows import predict as flow
from screening.checkpoints import set_checkpoint_folder
from screening.crystal.limits import DEFAULT_MAX_ATOMS
from screening.errors import InputError
from screening.hull.wording import known_statement, reference_ground
from screening.structure import available_generators, generator_names
from screening.structure.sizes import largest_cell
from stores import open_database

if TYPE_CHECKING:
    from stores import Database

MaxAtoms = Annotated[
    int,
    typer.Option(
        help="Maximum number of atoms in a cell; above 20 needs a bank with such cells, or "
        "--methods random.",
        min=1,
        max=200,
    ),
]
COLUMNS = {
    "structure_id": "id",
    "space_group": "space group",
    "nsites": "atoms",
    "volume_per_atom": "V (A^3/atom)",
    "energy_per_atom": "E (eV/atom)",
    "energy_above_hull": "E_hull (eV/atom)",
    "known": "known",
    "state": "relaxation",
    "found_by": "found by",
}

COLUMNS_AT_PRESSURE = {
    **{name: COLUMNS[name] for name in ("structure_id", "space_group", "nsites")},
    "pressure": "p (GPa)",
    "volume_per_atom": "V (A^3/atom)",
    "energy_per_atom": "E (eV/atom)",
    "enthalpy_per_atom": "H (eV/atom)",
    "energy_above_hull": "H_hull (eV/atom)",
    "known": "known",
    "state": "relaxation",
    "found_by": "found by",
}

GROUND = ("hull_id", "n_references", "systems_without_reference", "known_source")
"""What distances and known phases rest on: in JSON and CSV, and in words below the table."""


def predict(
    formula: Annotated[str, typer.Argument(help="Composition, such as Li3MnS4.")],
    methods: Annotated[
        str, typer.Option(help="'all', or names with numbers: prototypes=10,random=5.")
    ] = "all",
    top: Annotated[int, typer.Option(help="Structures that are kept.", min=1, max=1000)] = 20,
    relax: Annotated[bool, typer.Option(help="Relax with the potential.")] = True,
    hull: Annotated[bool, typer.Option(help="Compare with competing phases.")] = True,
    phonon: Annotated[bool, typer.Option(help="Phonons of the best.")] = False,
    max_atoms: MaxAtoms = 20,
    bank: Annotated[
        str, typer.Option(help="Prototype bank: bundled, or yours (`screening bank add`).")
    ] = "prototypes",
    pressure: Annotated[
        float, typer.Option(help="Relax and compare enthalpies at this pressure (GPa).")
    ] = 0.0,
    engine: Annotated[
        str, typer.Option(help="Potential: chgnet, or any ASE calculator as module:callable.")
    ] = "chgnet",
    others: Annotated[
        bool, typer.Option("--others", help="List crystals that other runs have found, too.")
    ] = False,
    seed: SeedOption = 0,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Folder for CIF files.")] = None,
    as_json: JsonFlag = False,
    as_csv: CsvFlag = False,
    quiet: Quiet = False,
) -> None:
    """Predict the crystals of one composition."""
    until = "structure" if not relax else "phonon" if phonon else "hull" if hull else "relax"
    campaign = flow.prediction_campaign(
        formula,
        methods=_methods(methods, top, max_atoms),
        top=top,
        until=until,  # type: ignore[arg-type]
        seed=seed,
        max_atoms=max_atoms,
        bank=bank,
        pressure=pressure,
        engine=engine,
    )
    database = open_database()
    with stage_bars(quiet=quiet or as_json or as_csv):
        rows = flow.predict(database, campaign, others=others)
    columns, title = COLUMNS, f"crystals of {formula}"
    if pressure:
        columns, title = COLUMNS_AT_PRESSURE, f"{title} at {pressure:g} GPa"
    if as_json or as_csv:
        columns = columns | {name: name for name in GROUND}
    if as_json:
        columns = columns | {"origins": "origins"}
    show(rows, columns, title=title, as_json=as_json, as_csv=as_csv)
    if not (as_json or as_csv):
        for line in _ground(rows):
            console.print(line, markup=False, highlight=False)
        _say_verdict(database, rows, formula, pressure)
    if out is not None:
        place = errors if as_json or as_csv else console
        place.print(_write(database, rows, out), markup=False)


def _ground(rows: list[dict[str, Any]]) -> list[str]:
    """Say what the distances and the known phases of a table rest on."""
    row = next((row for row in rows if row.get("hull_id")), None)
    if row is None:
        return []
    references = reference_ground(row["n_references"], row["systems_without_reference"])
    known = known_statement(False if row["known"] else row["known"], row["known_source"])
    return [
        f"distances to {row['hull_id']} of {row['hull_created']:%Y-%m-%d}: {references}",
        f"known, where it is not yes: {known}",
    ]


def _write(database: Database, rows: list[dict[str, Any]], out: Path) -> str:
    """Write the crystals as CIF files; returns what to say of it."""
    paths = write_structures(database, [row["structure_id"] for row in rows], None, "cif", out)
    return f"wrote {len(paths)} files to {out}"


def _say_verdict(
    database: Database, rows: list[dict[str, Any]], formula: str, pressure: float
) -> None:
    """Print who found what, and the ladder in one line; there is none under pressure."""
    for method, (n, alone) in flow.by_method(rows).items():
        console.print(f"{method} found {n} of {len(rows)}, {alone} of them alone")
    if not pressure and (ladder := flow.ladder_of(database, formula)):
        console.print(ladder.line, markup=False)


def _methods(text: str, top: int, max_atoms: int) -> dict[str, int]:
    """Read the option: the named methods, or all that have a checkpoint and make such cells."""
    known = generator_names()
    if text == "all":
        set_checkpoint_folder(get_settings().checkpoint_dir)
        # prototypes stay: without them `all` would mean random crystals, so that is refused
        names = [
            name
            for name in available_generators()
            if name == "prototypes" or _makes(name, max_atoms)
        ]
        return dict.fromkeys(names, top)
    methods = {}
    for part in text.split(","):
        name, _, number = part.strip().partition("=")
        if name not in known or (number and not number.isdigit()):
            raise InputError(f"--methods {part!r}: use 'all', or NAME or NAME=NUMBER of {known}")
        methods[name] = int(number) if number else top
    return methods


def _makes(method: str, max_atoms: int) -> bool:
    """Whether a method makes cells of that size; up to 20 atoms all count."""
    size = largest_cell(method) if max_atoms > DEFAULT_MAX_ATOMS else None
    return size is None or size >= max_atoms
