"""Measured equations of state, and how well a potential follows them.

The crystals, their parameters and the papers are in ``screening/data/equations_of_state.json``.
They were measured at room temperature; the potential knows none, and stands for a functional (PBE)
that makes most crystals too large and too soft by a few per cent.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import takewhile
from typing import TYPE_CHECKING, Any

import numpy as np
from pymatgen.core import Lattice, Structure

from screening.engines import engine_id
from screening.errors import InputError
from screening.pressure.compression import compress
from screening.pressure.eos import EquationOfState, fit_birch_murnaghan
from screening.progress import report

if TYPE_CHECKING:
    from screening.engines import EngineSpec

PRESSURES = (10.0, 30.0, 60.0, 100.0)
"""Pressures at which compressions are compared (GPa)."""
STRAINS = (-0.03, -0.015, 0.0, 0.02, 0.04, 0.07, 0.1)
"""Pressures of the fit, in bulk moduli."""
CREDIBLE = 0.15
"""Pressures are credible as long as they are off by less than this on average."""


@dataclass(frozen=True)
class ReferenceCrystal:
    """A crystal whose equation of state was measured.

    Attributes
    ----------
    name, formula
        What it is.
    structure
        Its primitive cell at no pressure.
    measured
        Its equation of state.
    max_pressure
        How far it was measured (GPa).
    doi
        Where.
    """

    name: str
    formula: str
    structure: Structure
    measured: EquationOfState
    max_pressure: float
    doi: str


@cache
def reference_crystals() -> tuple[ReferenceCrystal, ...]:
    """Read the table of measured equations of state."""
    path = files("screening") / "data" / "equations_of_state.json"
    found = []
    for row in json.loads(path.read_text(encoding="utf-8")):
        structure = Structure.from_spacegroup(
            row["space_group"],
            Lattice.from_parameters(*row["cell"]),
            row["species"],
            row["coordinates"],
            tol=1e-3,
        )
        measured = EquationOfState(
            row["volume"], row["bulk_modulus"], row["derivative"], form=row["form"]
        )
        primitive = structure.get_primitive_structure()
        found.append(
            ReferenceCrystal(
                row["name"], row["formula"], primitive, measured, row["max_pressure"], row["doi"]
            )
        )
    return tuple(found)


def check_equations_of_state(
    engine: EngineSpec = "chgnet",
    *,
    names: tuple[str, ...] = (),
    device: str = "cpu",
) -> dict[str, Any]:
    """Compare a potential with measured equations of state.

    Parameters
    ----------
    engine
        Energy source, see `screening.engines.engine_id`.
    names
        Only these crystals; all by default.
    device
        torch device.

    Returns
    -------
    dict
        ``crystals``: for each one bulk modulus (GPa), its derivative and volume (Angstrom^3/atom),
        measured and computed, and `label_errors`: by pressure, how far the measured pressure of the
        same relative compression is from it. ``summary``: mean absolute relative errors, and the
        pressure up to which that of the labels stays below 15 %.

    Raises
    ------
    InputError
        If a name is unknown.
    """
    known = {crystal.name: crystal for crystal in reference_crystals()}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise InputError(f"no measured equation of state of {unknown}: use some of {list(known)}")
    chosen = [known[name] for name in names or known]
    rows = []
    for done, crystal in enumerate(chosen, start=1):
        rows.append(_check(crystal, engine, device))
        report("equation of state", done, len(chosen))
    return {"engine": engine_id(engine), "crystals": rows, "summary": _summary(rows)}


def _check(crystal: ReferenceCrystal, engine: EngineSpec, device: str) -> dict[str, Any]:
    measured = crystal.measured
    fitted = [round(strain * measured.bulk_modulus, 6) for strain in STRAINS]
    labels = [pressure for pressure in PRESSURES if pressure <= crystal.max_pressure]
    grid = sorted({*fitted, *labels})
    path = compress({crystal.name: crystal.structure}, grid, engine=engine, device=device)
    row: dict[str, Any] = {
        "name": crystal.name,
        "formula": crystal.formula,
        "doi": crystal.doi,
        "measured_bulk_modulus": measured.bulk_modulus,
        "measured_derivative": measured.derivative,
        "measured_volume": measured.volume,
        "reason": "; ".join(path.reasons.values()) or None,
    }
    wanted = np.isin(path.pressures, fitted) & np.isfinite(path.energies[0])
    try:
        own = fit_birch_murnaghan(path.volumes[0, wanted], path.energies[0, wanted])
    except InputError as error:
        return {**row, "reason": str(error), "label_errors": {}}
    errors = {}
    for pressure in labels:
        volume = float(path.volumes[0, path.pressures == pressure][0])
        share = volume / own.volume * measured.volume
        if np.isfinite(share):
            errors[f"{pressure:g}"] = float(measured.pressure_at(share)) / pressure - 1
    return {
        **row,
        "bulk_modulus": own.bulk_modulus,
        "derivative": own.derivative,
        "volume": own.volume,
        "bulk_modulus_error": own.bulk_modulus / measured.bulk_modulus - 1,
        "volume_error": own.volume / measured.volume - 1,
        "label_errors": errors,
    }


def _summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Mean absolute errors over the crystals, and how far the pressures are credible."""
    fitted = [row for row in rows if "bulk_modulus" in row]
    labels: dict[str, dict[str, float]] = {}
    for pressure in PRESSURES:
        name = f"{pressure:g}"
        values = [abs(row["label_errors"][name]) for row in fitted if name in row["label_errors"]]
        if values:
            labels[name] = {"mean_absolute_error": float(np.mean(values)), "n": len(values)}
    credible = takewhile(lambda item: item[1]["mean_absolute_error"] < CREDIBLE, labels.items())
    return {
        "n": len(fitted),
        "bulk_modulus_mape": _mean(fitted, "bulk_modulus_error"),
        "volume_mape": _mean(fitted, "volume_error"),
        "labels": labels,
        "credible_up_to": max((float(name) for name, _ in credible), default=0.0),
    }


def _mean(rows: list[dict[str, Any]], name: str) -> float | None:
    return float(np.mean([abs(row[name]) for row in rows])) if rows else None
