"""Crystals, evaluations and the interface of engines: energy, forces and stress of crystals.

Conventions: row-vector lattices (Angstrom), energies in eV per cell, forces in eV/Angstrom,
stresses in GPa as ``1/V dE/d(strain)``: positive when the crystal would like to shrink, as in ASE.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, Self

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from pymatgen.core import Structure

GPA_PER_EV_A3 = 160.21766208
"""One eV/Angstrom^3 in GPa."""


@dataclass
class Crystal:
    """Atoms in a periodic cell, changed in place by whoever moves them.

    Attributes
    ----------
    numbers
        Atomic numbers, shape ``(n,)``.
    cell
        Lattice vectors as rows (Angstrom), shape ``(3, 3)``.
    positions
        Cartesian positions (Angstrom), shape ``(n, 3)``; they need not lie inside the cell.
    memo
        What an engine keeps between two calls for the same crystal, such as a neighbour list.
    """

    numbers: NDArray[np.int64]
    cell: NDArray[np.float64]
    positions: NDArray[np.float64]
    memo: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    def __len__(self) -> int:
        return len(self.numbers)

    @property
    def volume(self) -> float:
        """Volume of the cell (Angstrom^3)."""
        return float(abs(np.linalg.det(self.cell)))

    @classmethod
    def from_structure(cls, structure: Structure) -> Self:
        """Copy an ordered pymatgen structure; oxidation states and other properties are dropped."""
        return cls(
            np.array([site.specie.Z for site in structure], dtype=np.int64),
            np.array(structure.lattice.matrix, dtype=np.float64),
            np.array(structure.cart_coords, dtype=np.float64),
        )

    def to_structure(self) -> Structure:
        """Make a pymatgen structure with fractional coordinates in ``[0, 1)``."""
        from pymatgen.core import Element, Lattice, Structure

        fractional = self.positions @ np.linalg.inv(self.cell)
        fractional -= np.floor(fractional)
        fractional[fractional >= 1.0] = 0.0  # floor of a tiny negative number
        species = [Element.from_Z(int(number)) for number in self.numbers]
        return Structure(Lattice(self.cell), species, fractional)


@dataclass(frozen=True)
class Evaluation:
    """What an engine says about one crystal.

    Attributes
    ----------
    energy
        Energy (eV/cell).
    forces
        Forces (eV/Angstrom), shape ``(n, 3)``.
    stress
        Stress (GPa), shape ``(3, 3)``.
    magmoms
        Magnetic moments of the sites (mu_B), shape ``(n,)``, if the engine gives them.
    error
        Why there is no result; energy, forces and stress are then NaN.
    """

    energy: float
    forces: NDArray[np.float64]
    stress: NDArray[np.float64]
    magmoms: NDArray[np.float64] | None = None
    error: str | None = None

    @classmethod
    def failed(cls, n_atoms: int, error: str) -> Self:
        """Say why a crystal could not be evaluated."""
        return cls(np.nan, np.full((n_atoms, 3), np.nan), np.full((3, 3), np.nan), None, error)


class Engine(Protocol):
    """A source of energies. A crystal that cannot be evaluated never spoils its batch."""

    name: str

    def evaluate(self, crystals: Sequence[Crystal]) -> list[Evaluation]:
        """Evaluate all crystals, in order."""
        ...
