"""Crystals in cells of less volume, with the pressure that the engine finds in them.

Nothing is relaxed: the atoms keep their places in the cell, which keeps its shape, so that a
crystal costs two calls of the engine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from screening.engines import GPA_PER_EV_A3, Crystal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from pymatgen.core import Structure

    from screening.engines import Engine, Evaluation

FIRST = (0.75, 0.97)
"""Volumes, over the given one, of which the first is drawn."""
STIFFENING = 4.0
"""Derivative of the bulk modulus by the pressure in Murnaghan's equation."""
SOFTEST = 0.5
"""A first pressure below this (GPa) says nothing of the bulk modulus."""


def squeeze(
    structures: Sequence[Structure], engine: Engine, highest: float, rng: np.random.Generator
) -> list[list[tuple[Structure, Evaluation]]]:
    """Scale each structure twice, the second time to a pressure that is drawn.

    Murnaghan's equation (1944, doi:10.1073/pnas.30.9.244) leads from the first volume and its
    pressure to the second volume; what is returned is what the engine finds there.

    Parameters
    ----------
    structures
        Crystals close to no pressure.
    engine
        Source of stresses.
    highest
        Pressures up to this are drawn and kept (GPa).
    rng
        Random numbers.

    Returns
    -------
    For each structure its scaled ones and their evaluations, those of other pressures left out.
    """
    ratios = rng.uniform(*FIRST, len(structures))
    wanted = rng.uniform(0, highest, len(structures))
    first = _evaluate(structures, ratios, engine)
    pressures = np.array([pressure(evaluation) for _, evaluation in first])
    usable = pressures > SOFTEST  # never true of a failure
    moduli = STIFFENING * pressures / (ratios**-STIFFENING - 1)
    second_ratios = (1 + STIFFENING * wanted / np.where(usable, moduli, 1)) ** (-1 / STIFFENING)
    chosen = np.flatnonzero(usable).tolist()
    second = _evaluate([structures[k] for k in chosen], second_ratios[chosen], engine)
    found = [[item] for item in first]
    for k, item in zip(chosen, second, strict=True):
        found[k].append(item)
    return [[item for item in items if 0 <= pressure(item[1]) <= highest] for items in found]


def pressure(evaluation: Evaluation) -> float:
    """Pressure (GPa), NaN of what failed."""
    return float(-np.trace(evaluation.stress) / 3)


def _evaluate(
    structures: Sequence[Structure], ratios: NDArray[np.float64], engine: Engine
) -> list[tuple[Structure, Evaluation]]:
    scaled = [item.copy() for item in structures]
    for item, ratio in zip(scaled, ratios, strict=True):
        item.scale_lattice(item.volume * ratio)
    results = engine.evaluate([Crystal.from_structure(item) for item in scaled])
    return list(zip(scaled, results, strict=True))


def labels(structure: Structure, evaluation: Evaluation) -> dict[str, Any]:
    """Columns of the data file that the engine fills, in eV, eV/Angstrom and GPa."""
    found, n = pressure(evaluation), len(structure)
    work = found * structure.volume / GPA_PER_EV_A3
    return {
        "pressure": found,
        "energy_per_atom": evaluation.energy / n,
        "enthalpy_per_atom": (evaluation.energy + work) / n,
        "fmax": float(np.linalg.norm(evaluation.forces, axis=1).max()),
        "max_stress": float(np.abs(evaluation.stress + found * np.eye(3)).max()),
        "state": "scaled",
    }
