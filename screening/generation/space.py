"""Which compositions a generator may propose."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np

from screening.elements import MAX_Z, atomic_number, symbols
from screening.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from screening.composition import CompositionArray


@dataclass(frozen=True)
class ChemicalSpace:
    """Elements and sizes that are allowed; subsystems belong to it.

    Attributes
    ----------
    elements
        Atomic numbers that may occur, ascending.
    required
        Atomic numbers that must occur, ascending.
    min_elements, max_elements
        Number of elements.
    max_atoms
        Atoms per reduced formula unit.
    """

    elements: tuple[int, ...]
    required: tuple[int, ...]
    min_elements: int
    max_elements: int
    max_atoms: int

    @classmethod
    def create(
        cls,
        *,
        chemsys: Sequence[str] | None = None,
        required: Sequence[str] = (),
        excluded: Sequence[str] = (),
        min_elements: int = 2,
        max_elements: int = 4,
        max_atoms: int = 20,
    ) -> Self:
        """Check what a user gave.

        Parameters
        ----------
        chemsys
            Symbols of the elements that may occur; None for all from H to Lr.
        required
            Symbols of elements that must occur.
        excluded
            Symbols of elements that must not occur.
        min_elements, max_elements
            Number of elements.
        max_atoms
            Atoms per reduced formula unit.

        Raises
        ------
        InputError
            If an element is unknown or the limits leave nothing.
        """
        barred = {atomic_number(symbol) for symbol in excluded}
        named = range(1, MAX_Z + 1) if chemsys is None else map(atomic_number, chemsys)
        elements = tuple(sorted(set(named) - barred))
        must = tuple(sorted({atomic_number(symbol) for symbol in required}))
        space = cls(elements, must, min_elements, max_elements, max_atoms)
        space._check()
        return space

    def _check(self) -> None:
        outside = [symbols()[z] for z in self.required if z not in self.elements]
        if outside:
            raise InputError(
                f"required elements {outside} are not in the chemical system "
                f"{self.describe()}: add them to it or drop them"
            )
        if not 1 <= self.min_elements <= self.max_elements:
            raise InputError(
                f"min_elements={self.min_elements} and max_elements={self.max_elements}: use "
                "1 <= min_elements <= max_elements"
            )
        if self.min_elements > len(self.elements):
            raise InputError(
                f"no composition of {self.min_elements} elements in {self.describe()}: name more "
                "elements or lower min_elements"
            )
        if len(self.required) > self.max_elements:
            raise InputError(
                f"{len(self.required)} elements are required, but max_elements="
                f"{self.max_elements}: raise it"
            )
        if not self.min_elements <= self.max_atoms <= np.iinfo(np.uint16).max:
            raise InputError(
                f"max_atoms={self.max_atoms} must be from min_elements={self.min_elements} to 65535"
            )

    def describe(self) -> str:
        """Name the chemical system for a message."""
        if not self.elements:
            return "an empty chemical system"
        names = sorted(symbols()[z] for z in self.elements)
        return "-".join(names) if len(names) <= 12 else f"{len(names)} elements"

    def contains(self, compositions: CompositionArray) -> NDArray[np.bool_]:
        """Which reduced compositions lie in the space, shape ``(n,)``."""
        allowed = np.zeros(MAX_Z + 1, dtype=np.bool_)
        allowed[[0, *self.elements]] = True
        inside = np.all(allowed[compositions.numbers], axis=1)
        for z in self.required:
            inside &= np.any(compositions.numbers == z, axis=1)
        n_elements = compositions.n_elements()
        inside &= (n_elements >= self.min_elements) & (n_elements <= self.max_elements)
        small: NDArray[np.bool_] = inside & (compositions.n_atoms() <= self.max_atoms)
        return small
