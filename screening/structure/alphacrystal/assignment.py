"""Assignments of atoms to Wyckoff positions, and the map to search crystals for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True)
class MapTarget:
    """A map that a crystal shall have.

    Attributes
    ----------
    numbers
        Atomic numbers of the primitive cell in the order of `atom_order`, shape ``(n,)``.
    matrix
        Distances (Angstrom), or contacts (probabilities or booleans), shape ``(n, n)``.
    contacts
        Whether it is a contact map.
    expected
        Distances (Angstrom) that choose among crystals with the same contacts, shape ``(n, n)``;
        None for no choice. Only for contact maps.
    """

    numbers: Integers
    matrix: Floats
    contacts: bool
    expected: Floats | None = None


@dataclass(frozen=True)
class Assignment:
    """Atoms on Wyckoff positions.

    Attributes
    ----------
    number
        Space group.
    occupation
        Letter (as an index) and atomic number of each orbit.
    cell
        Conventional cell (Angstrom, degrees), shape ``(6,)``; None to search it.
    """

    number: int
    occupation: tuple[tuple[int, int], ...]
    cell: Floats | None = None


class Problem(NamedTuple):
    """Assignments and a map, as compiled code takes them; ``a`` assignments, ``n`` atoms.

    Attributes
    ----------
    groups, systems
        Index of the space group, and of its crystal system in `SYSTEMS`, shape ``(a,)``.
    letters, n_orbits
        Wyckoff letter of each orbit as an index, shape ``(a, o)``, and how many count; orbits in
        order of their kinds.
    gene_orbit, gene_axis, n_genes
        Orbit and coordinate of each gene of a position, shape ``(a, g)``, and how many count. Genes
        of the cell come first, these after them.
    cells
        Conventional cells, shape ``(a, 6)``; used if `free_cell` is False.
    free_cell
        Whether the cell has genes: three lengths, three angles, the volume.
    volumes
        Expected volumes of the conventional cells (Angstrom^3), shape ``(a,)``.
    target
        Distances (Angstrom), or contacts as 0 and 1, shape ``(n, n)``.
    expected
        Distances (Angstrom) that choose among crystals with the same contacts, shape ``(n, n)``.
    tie
        How much an Angstrom of difference from `expected` costs.
    kinds
        Element of each atom, ascending, shape ``(n,)``.
    sums
        Sum of the covalent radii of each pair (Angstrom), shape ``(n, n)``.
    bonding
        Whether a pair may be in contact: not two metals, shape ``(n, n)``.
    contacts
        Whether the target is a contact map.
    exchange
        Whether equal atoms are exchanged to fit the map; the papers do not.
    """

    groups: Integers
    systems: Integers
    letters: Integers
    n_orbits: Integers
    gene_orbit: Integers
    gene_axis: Integers
    n_genes: Integers
    cells: Floats
    free_cell: bool
    volumes: Floats
    target: Floats
    expected: Floats
    tie: float
    kinds: Integers
    sums: Floats
    bonding: NDArray[np.bool_]
    contacts: bool
    exchange: bool
