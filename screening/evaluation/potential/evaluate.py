"""``screening evaluate potential``: engines against the labels that a file has."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from screening.checkpoints.io import file_sha256
from screening.engines import Crystal, engine_id, make_engine
from screening.engines.registry import best_judge
from screening.engines.threads import one_thread
from screening.errors import InputError
from screening.evaluation.potential.elastic import measure_elastic
from screening.evaluation.potential.energies import measure_energies
from screening.evaluation.potential.phonon_peaks import measure_phonons
from screening.evaluation.potential.subject import Subject
from screening.training.data import read_table
from screening.training.request import parse_options, plain_metrics

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

    from screening.engines import Engine
    from screening.training.request import EvaluateRequest

COLUMNS = ("formula", "atomic_numbers", "lattice", "frac_coords")
DEFAULT_ENGINE = "chgnet"
TIMED = 64
"""Crystals whose evaluation is timed."""


class PotentialEvaluation(BaseModel):
    """Options of the measurement."""

    model_config = ConfigDict(extra="forbid")

    engine: str = Field("", description="Engines, separated by commas")
    relax: bool = Field(default=True, description="Relax crystals before their energy counts")
    largest: int = Field(
        0, ge=0, description="Largest number of atoms of a crystal with phonons; 0: any"
    )


@dataclass(frozen=True)
class Label:
    """Columns that are measured together, and how."""

    name: str
    columns: tuple[str, ...]
    measure: Callable[[Subject, pd.DataFrame], dict[str, Any]]


LABELS = (
    Label("energy", ("formation_energy_per_atom",), measure_energies),
    Label("phonon", ("last_phdos_peak",), measure_phonons),
    Label("elastic", ("bulk_modulus_vrh", "shear_modulus_vrh"), measure_elastic),
)


def evaluate_potential(request: EvaluateRequest) -> dict[str, Any]:
    """Measure engines on a file of labelled crystals.

    What is finished is kept in ``request.state``: the same command goes on where it was stopped.

    Parameters
    ----------
    request
        ``data`` has structure columns as MP-20 (formula, atomic_numbers, lattice, frac_coords) and
        at least one of ``formation_energy_per_atom`` (eV), ``last_phdos_peak`` (1/cm),
        ``bulk_modulus_vrh`` and ``shear_modulus_vrh`` (GPa).

    Returns
    -------
    For each engine ``energy``, ``phonon`` and ``elastic``, as far as there are labels, the name of
    its energy source and ``milliseconds`` for one evaluation.

    Raises
    ------
    InputError
        If the file has no structures or no label.
    EngineError
        If an engine is not there.
    """
    options = parse_options(PotentialEvaluation, request.options)
    table = read_table(request.data, COLUMNS)
    labels = [item for item in LABELS if set(item.columns) & set(table.columns)]
    if not labels:
        names = [name for item in LABELS for name in item.columns]
        raise InputError(f"{request.data} has no label that is known: it needs one of {names}")
    if request.sample is not None and request.sample < len(table):
        table = table.sample(n=request.sample, random_state=request.seed)
    engines = _engines(options.engine)
    result: dict[str, Any] = {
        "n": len(table),
        "data": request.data.name,
        "data_sha256": file_sha256(request.data),
        "seed": request.seed,
        "engines": engines,
    }
    for name in engines:
        with one_thread():
            subject = Subject(
                engine=make_engine(name),
                state=request.state,
                seed=request.seed,
                relax=options.relax,
                largest=options.largest or None,
            )
            result[name] = {"source": engine_id(name)} | _measure(subject, table, labels)
    plain: dict[str, Any] = plain_metrics(result)
    return plain | {"tables": [_summary(result, engines)]}


def _engines(names: str) -> list[str]:
    """List the engines that are asked for, or the default one and the best judge."""
    listed = [name.strip() for name in names.split(",") if name.strip()]
    return list(dict.fromkeys(listed or [DEFAULT_ENGINE, best_judge()]))


def _measure(subject: Subject, table: pd.DataFrame, labels: list[Label]) -> dict[str, Any]:
    """Measure one engine on each label, and its time."""
    measured = {
        item.name: item.measure(subject, rows)
        for item in labels
        if len(rows := _labelled(table, item.columns))
    }
    return {
        "milliseconds": _milliseconds(subject.engine, subject.crystals(table.iloc[:TIMED])),
        **measured,
    }


def _labelled(table: pd.DataFrame, columns: tuple[str, ...]) -> pd.DataFrame:
    """Keep rows with a finite value in one of the columns."""
    present = [name for name in columns if name in table.columns]
    if not present:
        return table.iloc[:0]
    values = table[present].to_numpy(dtype=np.float64)
    labelled: pd.DataFrame = table[np.isfinite(values).any(axis=1)]
    return labelled


def _milliseconds(engine: Engine, crystals: list[Crystal]) -> float:
    """Time of one evaluation of energy, forces and stress in a batch, neighbour lists included."""
    engine.evaluate(crystals[:2])
    fresh = [Crystal(c.numbers, c.cell, c.positions) for c in crystals]
    started = time.process_time()
    engine.evaluate(fresh)
    return 1000 * (time.process_time() - started) / max(len(fresh), 1)


def _summary(result: dict[str, Any], engines: list[str]) -> dict[str, Any]:
    """Give the figures of each engine as a row of a table."""
    rows = []
    for name in engines:
        row = {"engine": name, "source": result[name]["source"]}
        row["milliseconds"] = f"{result[name]['milliseconds']:.1f}"
        for kind in ("energy", "phonon", "elastic"):
            for key, value in result[name].get(kind, {}).items():
                if key in SHOWN:
                    row[f"{kind}.{key}"] = "-" if value is None else f"{value:.4g}"
        rows.append(row)
    columns = {key: key for row in rows for key in row}
    return {
        "title": f"{result['n']} crystals of {result['data']}",
        "rows": rows,
        "columns": columns,
    }


SHOWN = {"n", "mae", "bias", "median", "coverage", "imaginary", "bulk_median", "shear_median"}
"""Figures of the table; the JSON file has intervals and more."""
