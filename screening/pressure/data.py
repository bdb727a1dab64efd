"""Structures under pressure, relaxed with the potential: training data that nobody publishes.

Databases of crystals hold those of ambient pressure. Here each composition of a data file is
relaxed in its own structure, and in further prototypes, at one pressure after the other, each from
the one before. The labels are those of the potential: ``screening pressure eos`` says how far they
can be believed.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

import screening
from screening.checkpoints.card import Card
from screening.checkpoints.io import file_sha256
from screening.crystal.crystals import structure_of
from screening.crystal.symmetry_dataset import symmetry_dataset
from screening.engines import engine_id, make_engine
from screening.engines.threads import one_thread
from screening.errors import InputError
from screening.identity import content_hash
from screening.pressure.options import PressureDataOptions
from screening.pressure.scaled import labels, squeeze
from screening.progress import report
from screening.relax import RelaxOptions, relax_structures
from screening.structure import Target, get_generator
from screening.training.data import canonical_formulas, read_table
from screening.training.environment import package_versions
from screening.training.request import parse_options
from screening.training.state import clear_states, state_folder

if TYPE_CHECKING:
    from pathlib import Path

    from pymatgen.core import Structure

    from screening.schemas import RelaxationDoc
    from screening.training.request import TrainRequest

DATA, CARD, KEY = "data.parquet", "card.json", "key.txt"
COLUMNS = ("material_id", "formula", "atomic_numbers", "lattice", "frac_coords")
SYMPREC = 0.01


def train_pressure_data(request: TrainRequest) -> Card:
    """Relax structures at pressures and write ``data.parquet`` with its card.

    Every finished group of compositions is a file of its own under the output folder, so that an
    interrupted run goes on with the next group (``--resume``); ``data.parquet`` always holds all
    that is finished.

    Raises
    ------
    InputError
        If an option or a file is wrong, or the state belongs to other options or data.
    """
    options = parse_options(PressureDataOptions, request.options)
    started = time.monotonic()
    table = _chosen(read_table(request.data[0], COLUMNS), options, request.seed)
    parts = state_folder(request)
    _check_key(
        parts, content_hash(options.model_dump(), file_sha256(request.data[0]), request.seed)
    )
    facts = _facts(request, options)
    groups = [table.iloc[k : k + options.batch] for k in range(0, len(table), options.batch)]
    for number, group in enumerate(groups):
        part = parts / f"part-{number:05d}.parquet"
        if not part.is_file():
            starts = _starts(group, options)
            if options.method == "relaxed":
                found = _relax(starts, options, request.device)
            else:
                found = _scale(starts, options, request, number)
            _write(part, found)
            _write(request.out / DATA, _collect(parts, facts))
        report("pressure-data", number + 1, len(groups))
    rows = _collect(parts, facts)
    _write(request.out / DATA, rows)
    card = _card(request, options, table, rows, time.monotonic() - started)
    (request.out / CARD).write_text(card.model_dump_json(indent=2) + "\n", encoding="utf-8")
    clear_states(request)
    return card


def _chosen(table: pd.DataFrame, options: PressureDataOptions, seed: int) -> pd.DataFrame:
    """Draw compositions, each in its first structure that is small enough."""
    small = table[[len(z) <= options.max_atoms for z in table["atomic_numbers"]]]
    if small.empty:
        raise InputError(f"no structure has at most max_atoms={options.max_atoms} atoms: raise it")
    small = small.assign(formula=canonical_formulas(list(small["formula"])))
    small = small.drop_duplicates("formula")
    order = np.random.default_rng(seed).permutation(len(small))[: options.structures]
    return small.iloc[order].reset_index(drop=True)


def _check_key(parts: Path, key: str) -> None:
    """Refuse the state of another run."""
    parts.mkdir(parents=True, exist_ok=True)
    file = parts / KEY
    if file.is_file() and file.read_text(encoding="utf-8") != key:
        raise InputError(
            f"{parts} is the state of a run with other options, data or seed: give the same ones, "
            "or start anew without --resume"
        )
    file.write_text(key, encoding="utf-8")


def _starts(
    group: pd.DataFrame, options: PressureDataOptions
) -> list[tuple[str, str, str, Structure]]:
    """Give formula, identifier, source and structure of all that is relaxed."""
    found = []
    for row in group.itertuples():
        lattice = np.asarray(row.lattice, dtype=np.float64).reshape(3, 3)
        points = np.asarray(row.frac_coords, dtype=np.float64).reshape(-1, 3)
        known = structure_of((lattice, points, np.asarray(row.atomic_numbers, dtype=np.int64)))
        found.append((str(row.formula), str(row.material_id), "data", known))
        if not options.prototypes:
            continue
        target = Target(str(row.formula), max_atoms=options.max_atoms)
        generator = get_generator("prototypes", energies=False)
        found += [
            (str(row.formula), str(row.material_id), f"prototype {item.template}", item.structure)
            for item in generator.generate(target, options.prototypes + 1, 0)
            if not item.parameters["known"]
        ][: options.prototypes]
    return found


def _relax(
    starts: list[tuple[str, str, str, Structure]], options: PressureDataOptions, device: str
) -> pd.DataFrame:
    """Relax all at one pressure after the other; one that fails is left out from there on."""
    rows: list[dict[str, Any]] = []
    alive = list(starts)
    for pressure in options.pressures:
        wanted = RelaxOptions(
            fmax=options.fmax,
            max_stress=options.max_stress,
            max_steps=options.max_steps,
            pressure=pressure,
            fix_symmetry=True,
            keep_trajectory=False,
        )
        structures = [start[3] for start in alive]
        results = relax_structures(structures, wanted, engine=options.engine, device=device)
        after = []
        for (formula, name, source, _), result in zip(alive, results, strict=True):
            if result.structure is None:
                continue
            after.append((formula, name, source, result.structure))
            row = _row(formula, name, source, result.structure)
            rows.append(row | _labels(result.relaxation))
        alive = after
    return pd.DataFrame(rows)


def _scale(
    starts: list[tuple[str, str, str, Structure]],
    options: PressureDataOptions,
    request: TrainRequest,
    group: int,
) -> pd.DataFrame:
    """Put all into smaller cells, for pressures up to the highest."""
    engine = make_engine(options.engine, device=request.device)
    with one_thread():
        found = squeeze(
            [start[3] for start in starts],
            engine,
            options.pressures[-1],
            np.random.default_rng([request.seed, group]),
        )
    return pd.DataFrame(
        [
            _row(*start[:3], structure)
            | labels(structure, evaluation)
            | {"engine": engine_id(options.engine)}
            for start, items in zip(starts, found, strict=True)
            for structure, evaluation in items
        ]
    )


def _row(formula: str, name: str, source: str, structure: Structure) -> dict[str, Any]:
    lattice = structure.lattice.matrix
    found = symmetry_dataset(lattice, structure.frac_coords, structure.atomic_numbers, SYMPREC)
    return {
        "material_id": name,
        "formula": formula,
        "n_sites": len(structure),
        "atomic_numbers": np.asarray(structure.atomic_numbers, dtype=np.int64),
        "lattice": lattice.ravel(),
        "frac_coords": structure.frac_coords.ravel(),
        "spacegroup_number": int(found.number) if found is not None else 1,
        "source": source,
    }


def _labels(relaxation: RelaxationDoc) -> dict[str, Any]:
    return {
        "pressure": relaxation.pressure,
        "energy_per_atom": relaxation.energy_per_atom,
        "enthalpy_per_atom": relaxation.enthalpy_per_atom,
        "fmax": relaxation.fmax,
        "max_stress": relaxation.max_stress,
        "state": relaxation.state.value,
        "engine": relaxation.engine,
    }


def _facts(request: TrainRequest, options: PressureDataOptions) -> dict[str, str]:
    """Say where the rows come from, for the cards of models that are trained on them."""
    source = request.source(request.data[0], 0)
    engine = engine_id(options.engine)
    origin = f"{source.origin}; {options.method}, with pressures and energies of {engine}"
    return {"origin": origin, "licence": source.licence}


def _collect(parts: Path, facts: dict[str, str]) -> pd.DataFrame:
    tables = [pd.read_parquet(path) for path in sorted(parts.glob("part-*.parquet"))]
    table = pd.concat([table for table in tables if len(table)], ignore_index=True)
    table.attrs.update(facts)
    return table


def _write(path: Path, table: pd.DataFrame) -> None:
    """Replace a file at once, so that a kill leaves the old one or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".tmp")
    table.to_parquet(part)
    part.replace(path)


def _by_pressure(rows: pd.DataFrame, options: PressureDataOptions) -> pd.Series[int]:
    """Rows by pressure, in tens of GPa if it is not one of some."""
    digits = 3 if options.method == "relaxed" else -1
    return rows["pressure"].round(digits).value_counts().sort_index()


def _card(
    request: TrainRequest,
    options: PressureDataOptions,
    table: pd.DataFrame,
    rows: pd.DataFrame,
    seconds: float,
) -> Card:
    converged = rows["state"] == "converged"
    return Card(
        name=request.out.name,
        version=screening.__version__,
        model="",
        description="Structures under pressure; labels of the potential, not of DFT.",
        arguments={"engine": engine_id(options.engine)},
        hyperparameters=options.model_dump(),
        data=[request.source(request.data[0], len(table))],
        split={},
        metrics={
            "rows": len(rows),
            "formulas": int(rows["formula"].nunique()),
            "converged": float(converged.mean()),
            "rows_by_pressure": {
                f"{pressure:g}": int(n) for pressure, n in _by_pressure(rows, options).items()
            },
        },
        seed=request.seed,
        wall_time=seconds,
        device=request.device,
        packages=package_versions("numpy", "torch", "chgnet"),
        references=["10.1038/s42256-023-00716-3"],
        sha256=file_sha256(request.out / DATA),
    )
