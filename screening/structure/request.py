"""What a structure generator is asked for, and what it proposes."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol, Self

import numpy as np

from screening.composition import parse_formula
from screening.crystal.limits import DEFAULT_MAX_ATOMS
from screening.errors import InputError

if TYPE_CHECKING:
    from pymatgen.core import Structure

    from screening.schemas import SymmetryDoc


@dataclass(frozen=True)
class Target:
    """A composition whose crystal structures are wanted.

    Attributes
    ----------
    formula
        Any formula with integer amounts; it is reduced.
    units
        Formula units in the primitive cell that are allowed; None for all up to `max_atoms`.
    max_atoms
        Most atoms in the primitive cell.
    symmetry
        Predicted space groups, if there are any.
    volume_per_atom
        Predicted volume (Angstrom^3/atom); without it the one of `symmetry`, or the method's own.
    pressure
        Pressure (GPa), for methods that know pressures; the others propose crystals of none.

    Raises
    ------
    InputError
        If the formula cannot be read, one unit (or one of `units`) has more than `max_atoms` atoms,
        or a number is not positive.
    """

    formula: str
    units: tuple[int, ...] | None = None
    max_atoms: int = DEFAULT_MAX_ATOMS
    symmetry: SymmetryDoc | None = None
    volume_per_atom: float | None = None
    pressure: float = 0.0

    def __post_init__(self) -> None:
        atoms = sum(self.composition.values())
        if atoms > self.max_atoms:
            raise InputError(
                f"{self.formula!r} has {atoms} atoms in the formula unit, more than "
                f"max_atoms={self.max_atoms}: raise max_atoms or choose a smaller formula"
            )
        if self.units is not None and (not self.units or min(self.units) < 1):
            raise InputError(f"units={self.units} must be positive numbers of formula units")
        if self.units is not None and max(self.units) * atoms > self.max_atoms:
            raise InputError(
                f"{max(self.units)} formula units of {self.formula!r} are "
                f"{max(self.units) * atoms} atoms, more than max_atoms={self.max_atoms}: raise "
                "max_atoms or ask for fewer units"
            )
        volume = self.volume_per_atom
        if volume is not None and not (np.isfinite(volume) and volume > 0):
            raise InputError(f"volume_per_atom={volume} must be a positive number (Angstrom^3)")

    @classmethod
    def of_cell(cls, formula: str, **options: Any) -> Self:
        """Ask for cells with exactly the atoms of `formula` (``Ti2O4``: two units of TiO2)."""
        counts = parse_formula(formula)
        units = int(np.gcd.reduce(list(counts.values())))
        options.setdefault("max_atoms", max(DEFAULT_MAX_ATOMS, sum(counts.values())))
        return cls(formula, units=(units,), **options)

    @cached_property
    def composition(self) -> dict[int, int]:
        """Atomic number -> atoms in the reduced formula unit."""
        counts = parse_formula(self.formula)
        divisor = int(np.gcd.reduce(list(counts.values())))
        return {z: n // divisor for z, n in sorted(counts.items())}

    @property
    def expected_volume(self) -> float | None:
        """Volume (Angstrom^3/atom) that was given or comes with the predicted symmetry."""
        if self.volume_per_atom is None and self.symmetry is not None:
            return self.symmetry.volume_per_atom
        return self.volume_per_atom

    @property
    def allowed_units(self) -> tuple[int, ...]:
        """Formula units in the primitive cell that are allowed."""
        if self.units is not None:
            return tuple(sorted(set(self.units)))
        return tuple(range(1, self.max_atoms // sum(self.composition.values()) + 1))

    @property
    def allowed_atoms(self) -> tuple[int, ...]:
        """Atoms in the primitive cell that are allowed."""
        unit = sum(self.composition.values())
        return tuple(unit * n for n in self.allowed_units)


@dataclass(frozen=True)
class Proposal:
    """One structure that a method proposes.

    Attributes
    ----------
    structure
        The crystal, a primitive cell.
    score
        The method's own score, higher is better.
    template
        What it was made from, such as a prototype.
    parameters
        Whatever explains the proposal; plain JSON.
    """

    structure: Structure
    score: float | None = None
    template: str | None = None
    parameters: dict[str, Any] = field(default_factory=dict)


class StructureGenerator(Protocol):
    """A method that proposes structures; `screening.structure.pool` finds them by name."""

    @property
    def name(self) -> str:
        """Name in the registry."""

    @property
    def version(self) -> str:
        """Version of the method: another version may give other structures."""

    def generate(self, target: Target, n: int, seed: int) -> list[Proposal]:
        """Propose up to `n` structures, best first; an empty list if the method has none.

        The same target, number and seed give the same proposals, bit for bit.
        """
