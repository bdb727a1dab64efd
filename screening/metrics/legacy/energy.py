"""Difference of the energies of the two cells, as coded, and per atom.

The authors use M3GNet on unrelaxed structures, in eV per *cell*: the number grows with the cell,
and cells with other numbers of formula units cannot be compared. Energies here come from any
engine of the platform (CHGNet by default on the command line): they are of the same kind, but not
the numbers of the authors' tables.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from screening.engines.base import Crystal
from screening.errors import InputError

if TYPE_CHECKING:
    from pymatgen.core import Structure

    from screening.engines.base import Engine


def energy_distances(
    reference: Structure, predicted: Structure, engine: Engine
) -> tuple[float, float]:
    """Absolute difference in eV per cell, as coded, and in eV per atom; 0 or more.

    Raises
    ------
    InputError
        If the engine cannot evaluate one of them.
    """
    structures = (reference, predicted)
    found = engine.evaluate([Crystal.from_structure(structure) for structure in structures])
    for evaluation in found:
        if evaluation.error:
            raise InputError(f"{engine.name} cannot evaluate it: {evaluation.error}")
    first, second = (evaluation.energy for evaluation in found)
    return abs(first - second), abs(first / len(reference) - second / len(predicted))
