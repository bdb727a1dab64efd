"""Phases on their way to a hull."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING, Self

from screening.composition import parse_formula
from screening.elements import symbols
from screening.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from screening.schemas.structure import StructureDoc


@dataclass(frozen=True)
class PhaseEntry:
    """One phase with its energy.

    Attributes
    ----------
    entry_id
        structure_id, or the identifier in the imported source.
    composition
        Atoms of each element in the cell.
    energy_per_atom
        Total energy (eV/atom).
    energy_source
        Where the energy is from, such as ``chgnet-0.3.0``; with the pressure where there is one.
    role
        candidate (also when only one of the members is), element, competing or imported.
    members
        Structures that are this crystal, `entry_id` included; empty where nobody looked.
    known
        Members that are elements, known phases or imported structures.
    pressure
        Pressure at which it was relaxed (GPa).
    enthalpy_per_atom
        Energy and pressure times volume (eV/atom); needed at a pressure.
    """

    entry_id: str
    composition: dict[str, float]
    energy_per_atom: float
    energy_source: str
    role: str = "candidate"
    members: tuple[str, ...] = ()
    pressure: float = 0.0
    enthalpy_per_atom: float | None = None
    known: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.pressure and self.enthalpy_per_atom is None:
            raise InputError(
                f"entry {self.entry_id!r} is at {self.pressure:g} GPa but has no enthalpy: give "
                "enthalpy_per_atom"
            )
        if not (isfinite(self.energy_per_atom) and isfinite(self.ranking_energy)):
            raise InputError(
                f"entry {self.entry_id!r} has energy {self.energy_per_atom} and enthalpy "
                f"{self.enthalpy_per_atom}"
            )
        unknown = sorted(set(self.composition) - set(symbols()[1:]))
        if unknown or not self.composition or min(self.composition.values()) <= 0:
            raise InputError(
                f"entry {self.entry_id!r} has composition {self.composition}: use symbols H to Lr "
                "with amounts above 0"
            )

    @property
    def ranking_energy(self) -> float:
        """What the hull is made of (eV/atom): the energy, or at a pressure the enthalpy."""
        if self.pressure and self.enthalpy_per_atom is not None:
            return self.enthalpy_per_atom
        return self.energy_per_atom

    @property
    def elements(self) -> frozenset[str]:
        """Symbols of the elements."""
        return frozenset(self.composition)

    @property
    def formula(self) -> str:
        """Reduced formula, as pymatgen writes it."""
        from pymatgen.core import Composition

        reduced: str = Composition(self.composition).reduced_formula
        return reduced

    @classmethod
    def from_structures(cls, group: Sequence[StructureDoc]) -> Self:
        """Make an entry from the documents of one crystal, relaxed, the best one first.

        Raises
        ------
        InputError
            If the first was not relaxed to a usable energy.
        """
        best = group[0]
        relaxation = best.relaxation
        if relaxation is None or relaxation.energy_per_atom is None or not relaxation.state.usable:
            raise InputError(
                f"structure {best.structure_id!r} has no usable relaxed energy: leave it out"
            )
        formula = parse_formula(best.formula)
        units = best.nsites / sum(formula.values())
        return cls(
            best.structure_id,
            {symbols()[z]: count * units for z, count in formula.items()},
            relaxation.energy_per_atom,
            relaxation.source,
            "candidate" if any(doc.is_candidate for doc in group) else best.role.value,
            tuple(doc.structure_id for doc in group),
            relaxation.pressure,
            relaxation.enthalpy_per_atom,
            tuple(doc.structure_id for doc in group if doc.is_reference),
        )
