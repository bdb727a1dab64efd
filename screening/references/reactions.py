"""Energies of reactions that make a compound from chosen precursors or from the elements."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import nnls

from screening.composition import chemical_system, n_atoms, pretty_formula
from screening.errors import InputError
from screening.references.diagram import Diagram

if TYPE_CHECKING:
    from collections.abc import Sequence

    from screening.references.table import ReferenceTable

BALANCED = 1e-8
"""Largest atomic fraction that may be missing on one side."""


@dataclass(frozen=True)
class Reaction:
    """Precursors that become one compound.

    Attributes
    ----------
    product
        The compound, one formula unit.
    amounts
        Formula units of each precursor; those that are not needed are left out.
    energy_per_atom
        Energy of the reaction (eV/atom of the product): negative when energy is released.
    energy
        The same for one formula unit of the product (eV).
    """

    product: str
    amounts: dict[str, float]
    energy_per_atom: float
    energy: float

    def __str__(self) -> str:
        left = " + ".join(f"{amount:.4g} {name}" for name, amount in self.amounts.items())
        return f"{left} -> {self.product}"


def reaction(
    table: ReferenceTable,
    product: str,
    precursors: Sequence[str] = (),
    *,
    energy: float | None = None,
) -> Reaction:
    """Balance a reaction and compute its energy at 0 K.

    Parameters
    ----------
    table
        Formation energies of the precursors, and of the product if `energy` is left out.
    product
        The compound to be made.
    precursors
        Compounds to start from; left out: the elements.
    energy
        Formation energy of the product on the scale of the table (eV/atom).

    Raises
    ------
    InputError
        If the table lacks one of them, or the precursors cannot make the product alone.
    """
    names = list(precursors) or chemical_system(product).split("-")
    energies = np.array([_energy(table, name) for name in names])
    target = _energy(table, product) if energy is None else energy
    elements = sorted({el for name in (product, *names) for el in chemical_system(name).split("-")})
    fractions = Diagram(table, elements).fractions([*names, product])
    shares, missing = nnls(fractions[:-1].T, fractions[-1])
    if missing > BALANCED:
        raise InputError(
            f"{', '.join(names)} cannot make {product} without something else: name precursors "
            "that hold its elements and no others, in amounts that fit"
        )
    atoms = n_atoms(product)
    per_atom = target - float(shares @ energies)
    amounts = {
        pretty_formula(name): float(share * atoms / n_atoms(pretty_formula(name)))
        for name, share in zip(names, shares, strict=True)
        if share > BALANCED
    }
    return Reaction(product, amounts, per_atom, per_atom * atoms)


def _energy(table: ReferenceTable, formula: str) -> float:
    """Find the formation energy of a compound that must be in the table; elements are at 0."""
    if "-" not in chemical_system(formula):
        return 0.0
    energy = table.energy(formula)
    if energy is None:
        raise InputError(
            f"{table.ref.name} does not list {formula}: name a known compound, or give its energy"
        )
    return energy
