"""Phases under pressure: enthalpies by a potential, and where one phase follows another."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from scipy.interpolate import CubicHermiteSpline

from screening.engines.base import GPA_PER_EV_A3
from screening.errors import InputError
from screening.relax import RelaxOptions, relax_structures

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray
    from pymatgen.core import Structure

    from screening.engines import EngineSpec

FINE = 0.01
"""Spacing of the pressures between which a crossing is looked for (GPa)."""
SAME_VOLUME = 1e-3
"""Two phases whose volumes differ by less than this fraction have become one crystal."""


@dataclass(frozen=True)
class Compression:
    """Phases of one composition at pressures; NaN where a relaxation failed.

    Attributes
    ----------
    pressures
        Pressures (GPa), ascending, shape ``(p,)``.
    names
        Names of the ``n`` phases.
    energies, enthalpies
        Energy and enthalpy (eV/atom), shape ``(n, p)``.
    volumes
        Volume (Angstrom^3/atom), shape ``(n, p)``.
    reasons
        Why there is no value, or why it is not converged, by (name, pressure).
    """

    pressures: NDArray[np.float64]
    names: list[str]
    energies: NDArray[np.float64]
    enthalpies: NDArray[np.float64]
    volumes: NDArray[np.float64]
    reasons: dict[tuple[str, float], str]


@dataclass(frozen=True)
class Transition:
    """The pressure at which one phase has the lowest enthalpy after another.

    Attributes
    ----------
    pressure
        GPa.
    before, after
        Names of the phases.
    volume_change
        Relative change of the volume.
    """

    pressure: float
    before: str
    after: str
    volume_change: float


def compress(
    phases: Mapping[str, Structure],
    pressures: Sequence[float],
    *,
    engine: EngineSpec = "chgnet",
    device: str = "cpu",
    options: RelaxOptions | None = None,
) -> Compression:
    """Relax phases at one pressure after the other, each from the one before.

    Parameters
    ----------
    phases
        Structures by name; the space group of each is kept.
    pressures
        Pressures (GPa), ascending.
    engine
        Energy source, see `screening.engines.engine_id`.
    device
        torch device.
    options
        How it is relaxed; its pressure is not used.

    Raises
    ------
    InputError
        If there are no phases, or the pressures do not ascend.
    """
    grid = [float(pressure) for pressure in pressures]
    if not phases or not grid or any(low >= high for low, high in pairwise(grid)):
        raise InputError(f"{len(phases)} phases at {grid} GPa: give pressures in ascending order")
    names = list(phases)
    shape = (len(names), len(grid))
    energies, enthalpies, volumes = (np.full(shape, np.nan) for _ in range(3))
    reasons: dict[tuple[str, float], str] = {}
    current = dict(phases)
    base = options or RelaxOptions(fmax=0.01, max_stress=0.05, fix_symmetry=True)
    for column, pressure in enumerate(grid):
        wanted = RelaxOptions(**{**vars(base), "pressure": pressure, "keep_trajectory": False})
        alive = list(current)
        starts = [current[name] for name in alive]
        results = relax_structures(starts, wanted, engine=engine, device=device)
        for name, result in zip(alive, results, strict=True):
            relaxation, row = result.relaxation, names.index(name)
            if relaxation.reason:
                reasons[name, pressure] = relaxation.reason
            if result.structure is None:
                del current[name]
                continue
            current[name] = result.structure
            energies[row, column] = relaxation.energy_per_atom
            enthalpies[row, column] = relaxation.enthalpy_per_atom
            volumes[row, column] = result.structure.volume / len(result.structure)
    return Compression(np.array(grid), names, energies, enthalpies, volumes, reasons)


def transitions(compression: Compression) -> list[Transition]:
    """Find which phase has the lowest enthalpy, and where that changes.

    Between the pressures the enthalpy is a cubic whose slope at both ends is the volume, as
    thermodynamics has it (dH/dp = V). A phase with a failed relaxation takes part up to there.

    Returns
    -------
    Transitions by pressure; none where one phase is the lowest throughout.
    """
    grid = compression.pressures
    if len(grid) < 2:
        return []
    fine = np.linspace(grid[0], grid[-1], int(np.ceil((grid[-1] - grid[0]) / FINE)) + 1)
    curves, volumes = _curves(compression, fine)
    known = np.isfinite(curves).any(axis=0)
    fine, curves, volumes = fine[known], curves[:, known], volumes[:, known]
    lowest = np.nanargmin(curves, axis=0)
    found = []
    for place in np.flatnonzero(np.diff(lowest)):
        before, after = lowest[place], lowest[place + 1]
        gap = curves[after, place : place + 2] - curves[before, place : place + 2]
        share = float(gap[0] / (gap[0] - gap[1])) if np.isfinite(gap).all() else 0.5
        pressure = float(fine[place] + share * (fine[place + 1] - fine[place]))
        change = float(volumes[after, place + 1] / volumes[before, place] - 1)
        if abs(change) > SAME_VOLUME:
            names = compression.names
            found.append(Transition(pressure, names[before], names[after], change))
    return found


def _curves(
    compression: Compression, fine: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Enthalpies and volumes of all phases at fine pressures, each shape ``(n, f)``."""
    curves, volumes = (np.full((len(compression.names), len(fine)), np.nan) for _ in range(2))
    for row in range(len(compression.names)):
        known = np.isfinite(compression.enthalpies[row])
        if known.sum() < 2:
            continue
        at = compression.pressures[known]
        inside = (fine >= at[0]) & (fine <= at[-1])
        v = compression.volumes[row, known]
        spline = CubicHermiteSpline(at, compression.enthalpies[row, known], v / GPA_PER_EV_A3)
        curves[row, inside] = spline(fine[inside])
        volumes[row, inside] = np.interp(fine[inside], at, v)
    return curves, volumes
