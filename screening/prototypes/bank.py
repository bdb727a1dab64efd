"""The prototype bank: known prototypes, and the elements that are known to decorate them.

A prototype is a space group with occupied Wyckoff orbits and one geometry. The crystals that share
it within a `Tolerance` are its decorations: elements by class of orbits, volume, energy above the
hull, atoms in the cell. The bank is a handful of arrays; no crystal is kept by itself.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Self

import numpy as np

from screening.elements import atomic_number, symbols
from screening.prototypes.arrays import PrototypeArrays
from screening.prototypes.lookup import Lookup
from screening.prototypes.orbit_assignment import Recolourings

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import pandas as pd
    from numpy.typing import NDArray
    from pymatgen.core import Structure

    from screening.crystal.crystals import Cell
    from screening.crystal.isopointal import Tolerance
    from screening.prototypes.substitution import SubstitutionModel
    from screening.schemas import CheckpointRef


@dataclass(frozen=True)
class Failure:
    """A structure that could not be described, by its place in the input."""

    index: int
    reason: str


@dataclass(frozen=True)
class Bank(PrototypeArrays):
    """Prototypes and decorations, found by stoichiometry; see `PrototypeArrays` for the arrays.

    Attributes
    ----------
    ref
        The checkpoint that the bank was read from, if any.
    failures
        Structures that could not be described.
    """

    ref: CheckpointRef | None = None
    failures: tuple[Failure, ...] = ()

    @classmethod
    def load(cls, name: str = "prototypes") -> Self:
        """Read a bank from a checkpoint (bundled name, user's name, or path).

        Raises
        ------
        CheckpointError
            If there is no such checkpoint, it is damaged, or it is not a bank.
        """
        from screening.prototypes.bank_file import read_bank

        return cls(**read_bank(name))

    @classmethod
    def from_table(
        cls,
        table: pd.DataFrame,
        *,
        exclude_formulas: Iterable[str] = (),
        tolerance: Tolerance | None = None,
    ) -> Self:
        """Build a bank from a table of structures; `screening.prototypes.train` trains one.

        Parameters
        ----------
        table
            Columns `formula`, `atomic_numbers` (n,), `lattice` (9,), `frac_coords` (3n,) and, if
            known, `e_above_hull`.
        exclude_formulas
            Formulas whose rows are left out, all polymorphs.
        tolerance
            How close the crystals of one prototype are.
        """
        from screening.prototypes.build import cells_of_table
        from screening.training.data import canonical_formulas

        excluded = set(canonical_formulas(list(exclude_formulas)))
        if excluded:
            formulas = canonical_formulas(table["formula"].tolist())
            table = table[[formula not in excluded for formula in formulas]]
        return cls._build(*cells_of_table(table), tolerance)

    @classmethod
    def from_structures(
        cls,
        structures: Iterable[Structure],
        *,
        hulls: Sequence[float] | None = None,
        tolerance: Tolerance | None = None,
    ) -> Self:
        """Build a bank from pymatgen structures; those that fail are listed in `failures`.

        Parameters
        ----------
        structures
            Structures; a disordered one is a failure.
        hulls
            Energies above the hull (eV/atom), one per structure.
        tolerance
            How close the crystals of one prototype are.
        """
        from screening.prototypes.build import cell_of_structure

        cells = [cell_of_structure(structure) for structure in structures]
        known = np.full(len(cells), np.nan) if hulls is None else np.asarray(hulls, np.float64)
        return cls._build(cells, known, tolerance)

    @classmethod
    def _build(
        cls,
        cells: Sequence[Cell | str],
        hulls: NDArray[np.float64],
        tolerance: Tolerance | None,
    ) -> Self:
        from screening.prototypes.build import build_arrays

        arrays, failures = build_arrays(cells, hulls, tolerance)
        return cls(**arrays, failures=tuple(Failure(i, reason) for i, reason in failures))

    def with_model(self, model: SubstitutionModel) -> Self:
        """Copy with another model of how alike elements are."""
        return replace(self, model=model)

    @cached_property
    def lookup(self) -> Lookup:
        """Prototypes and decorations by anonymous stoichiometry."""
        return Lookup(self)

    @cached_property
    def recolourings(self) -> Recolourings:
        """Frameworks for any elements on any orbits."""
        return Recolourings(self)

    def known_phases(self, elements: Iterable[str]) -> list[Structure]:
        """Rebuild all known crystals made of these elements only (the competing phases of a hull).

        Parameters
        ----------
        elements
            Symbols.

        Raises
        ------
        InputError
            If a symbol is unknown.
        """
        allowed = np.zeros(len(symbols()), dtype=bool)
        allowed[0] = True
        allowed[[atomic_number(symbol) for symbol in elements]] = True
        inside = np.flatnonzero(allowed[self.elements].all(axis=1))
        return [self.structure(int(decoration)) for decoration in inside]
