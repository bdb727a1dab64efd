"""Classes of compositions whose errors differ in size: what anion, metals alone, f elements."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from screening.elements import atomic_number
from screening.energy_scale.terms import anions

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from screening.composition import CompositionArray

CLASSES = ("element", "oxide", "halide", "chalcogenide", "pnictide", "other anion", "metals",
           "metals with f elements")  # fmt: skip
"""Names of the classes, in the order of `composition_classes`."""

_BY_ANION = {
    "oxide": ("O",),
    "halide": ("F", "Cl", "Br", "I"),
    "chalcogenide": ("S", "Se", "Te"),
    "pnictide": ("N", "P", "As", "Sb", "Bi"),
    "other anion": ("H", "B", "C", "Si", "Ge"),
}


def composition_classes(compositions: CompositionArray) -> NDArray[np.int64]:
    """Class of each composition by its most electronegative element, shape ``(n,)``."""
    anion = anions(compositions)
    f_block = np.isin(compositions.numbers, [*range(57, 72), *range(89, 104)]).any(axis=1)
    classes = np.where(f_block, CLASSES.index("metals with f elements"), CLASSES.index("metals"))
    for name, members in _BY_ANION.items():
        numbers = [atomic_number(symbol) for symbol in members]
        classes[np.isin(anion, numbers)] = CLASSES.index(name)
    classes[anion == 0] = CLASSES.index("element")
    return classes
