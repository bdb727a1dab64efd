"""Energies of candidates: unrelaxed, at a volume that the pressure corrects once; or relaxed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from screening.engines import Crystal as Atoms
from screening.engines.descent import relax_batch
from screening.engines.threads import one_thread

if TYPE_CHECKING:
    from collections.abc import Sequence

    from screening.crystal.crystals import Cell
    from screening.engines import Engine, Evaluation
    from screening.engines.descent import RelaxOptions

Floats = NDArray[np.float64]

BULK_MODULUS = 120.0
"""GPa; the volume is changed by pressure over this, between -15 and +30 %."""
_STRAINS = (-0.15, 0.3)


def single_points(cells: Sequence[Cell], engine: Engine) -> Floats:
    """Evaluate cells as they are, then at the volume that their pressure suggests.

    Returns
    -------
    Energy (eV/atom), root mean square force (eV/Angstrom), pressure and largest anisotropic stress
    (GPa), then energy and pressure at the second volume; shape ``(n, 6)``, NaN where the engine has
    no result.
    """
    atoms = _atoms(cells)
    first = np.array([_row(result, len(a)) for a, result in _pairs(atoms, engine)]).reshape(-1, 4)
    strains = np.clip(np.nan_to_num(first[:, 2]) / BULK_MODULUS, *_STRAINS)
    for item, scale in zip(atoms, (1 + strains) ** (1 / 3), strict=True):
        item.cell, item.positions = item.cell * scale, item.positions * scale
        item.memo.clear()
    second = np.array([_row(result, len(a)) for a, result in _pairs(atoms, engine)]).reshape(-1, 4)
    return np.column_stack([first, second[:, [0, 2]]])


def settle(
    cells: Sequence[Cell], engine: Engine, options: RelaxOptions
) -> tuple[list[Cell], Floats]:
    """Relax cells, on one thread.

    Returns
    -------
    The cells, and their energies (eV/atom), NaN where it failed, ``(n,)``.
    """
    atoms = _atoms(cells)
    with one_thread():  # which of them is lowest follows from the energies
        documents = relax_batch(atoms, options, engine)
    settled = [
        (item.cell, item.positions @ np.linalg.inv(item.cell), item.numbers) for item in atoms
    ]
    energies = [doc.energy_per_atom if doc.state.usable else None for doc in documents]
    return settled, np.array([np.nan if energy is None else energy for energy in energies])


def _atoms(cells: Sequence[Cell]) -> list[Atoms]:
    return [Atoms(numbers, lattice.copy(), points @ lattice) for lattice, points, numbers in cells]


def _pairs(atoms: list[Atoms], engine: Engine) -> list[tuple[Atoms, Evaluation]]:
    with one_thread():  # the order of structures follows from the energies
        return list(zip(atoms, engine.evaluate(atoms), strict=True))


def _row(result: Evaluation, n: int) -> tuple[float, float, float, float]:
    pressure = -float(np.trace(result.stress)) / 3
    anisotropic = float(np.abs(result.stress + pressure * np.eye(3)).max())
    force = float(np.sqrt((result.forces**2).sum(axis=1).mean()))
    return result.energy / n, force, pressure, anisotropic
