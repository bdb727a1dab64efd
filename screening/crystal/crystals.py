"""Crystals as space group, conventional cell and Wyckoff orbits; to and from atoms in a cell."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache, cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from screening.crystal.space_groups import LETTERS, SpaceGroup, space_group
from screening.crystal.symmetry_dataset import symmetry_dataset

if TYPE_CHECKING:
    from pymatgen.core import Composition, Structure

Floats = NDArray[np.float64]
Cell = tuple[Floats, Floats, NDArray[np.int64]]
"""Lattice rows (3, 3) in Angstrom, fractional coordinates (n, 3), atomic numbers (n,)."""

SYMPRECS = (0.1, 0.01)
"""Distance tolerances (Angstrom) that are tried in turn."""

COORDINATE_STEPS = 65520
"""Free coordinates are kept as multiples of 1/65520, so that 1/2, 1/3 ... 1/8 are exact."""

_MAX_RESIDUAL = 1e-3


@dataclass(frozen=True)
class Crystal:
    """A crystal in the standard setting of its space group.

    Attributes
    ----------
    number
        Space group, 1 to 230.
    cell
        Conventional cell: a, b, c (Angstrom), alpha, beta, gamma (degrees), shape ``(6,)``.
    letters
        Wyckoff letter of each orbit as an index (0 is "a"), shape ``(n,)``.
    species
        Atomic number (or anonymous class) of each orbit, shape ``(n,)``.
    parameters
        Free coordinates of each orbit, 0 where a coordinate is not free, shape ``(n, 3)``.
    """

    number: int
    cell: Floats
    letters: NDArray[np.int64]
    species: NDArray[np.int64]
    parameters: Floats

    @property
    def group(self) -> SpaceGroup:
        """Tables of the space group."""
        return space_group(self.number)

    @cached_property
    def multiplicities(self) -> NDArray[np.int64]:
        """Atoms of each orbit in the primitive cell, shape ``(n,)``."""
        group = self.group
        return np.array([group.positions[i].multiplicity // group.n_centring for i in self.letters])

    @property
    def n_atoms(self) -> int:
        """Atoms in the primitive cell."""
        return int(self.multiplicities.sum())

    @property
    def volume_per_atom(self) -> float:
        """Volume in Angstrom^3 per atom."""
        volume = abs(np.linalg.det(lattice_matrix(self.cell)))
        return float(volume / self.group.n_centring / self.n_atoms)

    def scaled(self, volume_per_atom: float) -> Crystal:
        """Copy with another volume (Angstrom^3/atom), same shape."""
        cell = self.cell.copy()
        cell[:3] *= (volume_per_atom / self.volume_per_atom) ** (1 / 3)
        return replace(self, cell=cell)

    def with_species(self, species: NDArray[np.int64]) -> Crystal:
        """Copy with other atoms on the orbits."""
        return replace(self, species=np.asarray(species, dtype=np.int64))


def lattice_matrix(cell: Floats) -> Floats:
    """Row vectors of a, b, c (Angstrom) and angles (degrees): a along x, b in the xy plane.

    Shape ``(..., 6)`` gives ``(..., 3, 3)``.
    """
    lengths, cosines = cell[..., :3], np.cos(np.radians(cell[..., 3:]))
    sine = np.sin(np.radians(cell[..., 5]))
    cy = (cosines[..., 0] - cosines[..., 1] * cosines[..., 2]) / sine
    cz = np.sqrt(np.maximum(1.0 - cosines[..., 1] ** 2 - cy**2, 1e-12))
    matrix = np.zeros((*cell.shape[:-1], 3, 3))
    matrix[..., 0, 0] = 1.0
    matrix[..., 1, 0], matrix[..., 1, 1] = cosines[..., 2], sine
    matrix[..., 2, 0], matrix[..., 2, 1], matrix[..., 2, 2] = cosines[..., 1], cy, cz
    return matrix * lengths[..., None]


def cell_parameters(matrix: Floats) -> Floats:
    """Lengths (Angstrom) and angles (degrees) of row vectors, shape ``(6,)``."""
    lengths = np.linalg.norm(matrix, axis=1)
    pairs = ((1, 2), (0, 2), (0, 1))
    cosines = [matrix[i] @ matrix[j] / lengths[i] / lengths[j] for i, j in pairs]
    return np.concatenate([lengths, np.degrees(np.arccos(np.clip(cosines, -1, 1)))])


def standardise(cell: Cell, symprecs: tuple[float, ...] = SYMPRECS) -> Crystal | str:
    """Describe atoms in a cell by space group and Wyckoff orbits.

    Parameters
    ----------
    cell
        Lattice, fractional coordinates, atomic numbers.
    symprecs
        Tolerances of spglib (Angstrom) that are tried in turn.

    Returns
    -------
    The crystal, or the reason why there is none.
    """
    if not (np.isfinite(cell[0]).all() and np.isfinite(cell[1]).all()):
        return "the lattice or the coordinates are not finite"
    reason = "spglib finds no symmetry"
    for symprec in symprecs:
        result = _standardise(cell, symprec)
        if isinstance(result, Crystal):
            return result
        reason = result
    return reason


def _standardise(cell: Cell, symprec: float) -> Crystal | str:
    data = symmetry_dataset(*cell, symprec)
    if data is None:
        return "spglib finds no symmetry"
    group = space_group(data.number)
    if data.hall_number != group.hall_number:
        data = symmetry_dataset(*cell, symprec, group.hall_number)
        if data is None:
            return f"spglib does not reach the standard setting of space group {group.number}"
    primitive = np.asarray(data.mapping_to_primitive)
    _, first = np.unique(primitive, return_index=True)
    atoms = first[np.asarray(data.std_mapping_to_primitive)]
    orbits = np.asarray(data.crystallographic_orbits)[atoms]
    letters, species, parameters = [], [], []
    for orbit in np.unique(orbits):
        members = np.flatnonzero(orbits == orbit)
        letter = LETTERS.index(data.wyckoffs[atoms[members[0]]])
        position = group.positions[letter]
        free, residual = position.solve(data.std_positions[members])
        if residual > _MAX_RESIDUAL or len(members) != position.multiplicity:
            return f"orbit {position.multiplicity}{position.letter} does not fit its positions"
        full = np.zeros(3)
        full[position.free] = free
        letters.append(letter)
        species.append(int(data.std_types[members[0]]))
        parameters.append(full)
    return Crystal(
        number=group.number,
        cell=cell_parameters(np.asarray(data.std_lattice)),
        letters=np.array(letters),
        species=np.array(species),
        parameters=np.array(parameters),
    )


def primitive_cell(crystal: Crystal) -> Cell:
    """Atoms of the Niggli-reduced primitive cell, orbit after orbit.

    Returns
    -------
    Lattice rows ``(3, 3)`` in Angstrom, fractional coordinates ``(n, 3)`` in [0, 1), atomic numbers
    ``(n,)``.
    """
    group = crystal.group
    lattice = group.primitive @ lattice_matrix(crystal.cell)
    fractions = primitive_sites(crystal) @ group.conventional
    return reduced_cell((lattice, fractions, np.repeat(crystal.species, crystal.multiplicities)))


def primitive_sites(crystal: Crystal) -> NDArray[np.float64]:
    """Atoms of the primitive cell in conventional coordinates ``(n, 3)``, orbit after orbit."""
    return np.concatenate(
        [
            position.matrices[:count] @ full + position.offsets[:count]
            for letter, full, count in zip(
                crystal.letters, crystal.parameters, crystal.multiplicities, strict=True
            )
            for position in [crystal.group.positions[letter]]
        ]
    )


def reduced_cell(cell: Cell) -> Cell:
    """Niggli-reduce a cell; coordinates come back in [0, 1), in the order of the atoms."""
    import spglib

    lattice, points, numbers = cell
    reduced = spglib.niggli_reduce(lattice)
    reduced = lattice if reduced is None else np.asarray(reduced)
    fractions = points @ (lattice @ np.linalg.inv(reduced))
    return reduced, np.round(fractions, 10) % 1.0, numbers


def structure_of(cell: Cell) -> Structure:
    """Build a pymatgen structure, atoms in order of their atomic numbers."""
    from pymatgen.core import Lattice, Structure

    lattice, fractions, numbers = cell
    order = np.argsort(numbers, kind="stable")
    species = [_pure(number) for number in numbers[order].tolist()]
    return Structure(Lattice(lattice), species, fractions[order])


@cache
def _pure(number: int) -> Composition:
    """One atom of an element, as the sites of a structure hold it."""
    from pymatgen.core import Composition, Element

    return Composition({Element.from_Z(number): 1})


def to_structure(crystal: Crystal) -> Structure:
    """Build the pymatgen structure of the Niggli-reduced primitive cell."""
    return structure_of(primitive_cell(crystal))


def transformed(crystal: Crystal, operation: int) -> Crystal:
    """Apply one coset representative of the normaliser: the same crystal in another setting."""
    group = crystal.group
    rotations, shifts, letters = group.normaliser
    rotation, shift = rotations[operation], shifts[operation]
    matrix = np.linalg.inv(rotation).T @ lattice_matrix(crystal.cell)
    new_letters = letters[operation][crystal.letters]
    parameters = np.zeros_like(crystal.parameters)
    for i, (old, new) in enumerate(zip(crystal.letters, new_letters, strict=True)):
        source, target = group.positions[old], group.positions[new]
        points = source.matrices @ crystal.parameters[i] + source.offsets
        free, _ = target.solve((points @ rotation.T + shift) % 1.0)
        parameters[i, target.free] = free
    return replace(
        crystal, cell=cell_parameters(matrix), letters=new_letters, parameters=parameters
    )
