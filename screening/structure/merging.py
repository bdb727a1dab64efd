"""Proposals that are one crystal, kept apart where their space groups differ.

StructureMatcher's tolerances are wide enough to take a tilted perovskite for the cubic one, and a
relaxation that keeps the space group cannot find the tilts again. So proposals are merged only
within a space group; those of several space groups that StructureMatcher takes for one crystal are
a family. A sample without any symmetry is no phase of its own: it votes for the symmetric crystal
of its family that it is closest to.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Self

import numpy as np

from screening.crystal.distances import fingerprint
from screening.crystal.equality import REFUSED, Comparable, same_crystal
from screening.crystal.symmetry_dataset import symmetry_dataset
from screening.engines.descent.symmetry import symmetrised

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pymatgen.core import Structure

EXACT, NOISY = 0.001, 0.1
"""Tolerances (Angstrom) of the space group: of a proposal, and of one that has none within the
first. Crystals that are made from Wyckoff positions have their symmetry exactly, samples do not."""


@dataclass(frozen=True)
class Member:
    """A proposal as it is compared with others.

    Attributes
    ----------
    structure
        The crystal; one that is symmetric only within `NOISY` has been moved to its symmetry.
    group
        Space group number.
    order
        Symmetry operations of the primitive cell.
    """

    structure: Structure
    group: int
    order: int

    @classmethod
    def of(cls, structure: Structure) -> Self:
        """Find the symmetry of a proposal."""
        group, order = _symmetry(structure, EXACT)
        if group > 1:
            return cls(structure, group, order)
        exact = symmetrised(structure, NOISY)
        if exact is None:
            return cls(structure, group, order)
        return cls(exact, *_symmetry(exact, EXACT))

    @cached_property
    def comparable(self) -> Comparable:
        """The reduced crystal."""
        return Comparable.of(self.structure)

    @cached_property
    def fingerprint(self) -> NDArray[np.float64]:
        """Fingerprint of the reduced crystal, see `screening.crystal.distances`."""
        crystal = self.comparable
        return fingerprint(crystal.lattice, crystal.points, crystal.numbers)

    def difference(self, other: Member) -> float:
        """Root mean square difference of the fingerprints."""
        return float(np.sqrt(((self.fingerprint - other.fingerprint) ** 2).mean()))


def _symmetry(structure: Structure, symprec: float) -> tuple[int, int]:
    """Space group number, and operations of the primitive cell."""
    numbers = [site.specie.Z for site in structure]
    data = symmetry_dataset(structure.lattice.matrix, structure.frac_coords, numbers, symprec)
    if data is None:
        return 1, 1
    cells = len(numbers) // len(np.unique(data.mapping_to_primitive))
    return int(data.number), len(data.rotations) // cells


@dataclass
class Merger:
    """Sorts proposals into crystals and crystals into families.

    Attributes
    ----------
    crystals
        The first member of each crystal.
    families
        Family of each crystal, numbered from 0.
    """

    crystals: list[Member] = field(default_factory=list)
    families: list[int] = field(default_factory=list)

    def place(self, member: Member) -> int:
        """Find the crystal that a member is, or make one of it.

        Members with symmetry have to come before those without.

        Returns
        -------
        Index of the crystal.
        """
        differences = [member.difference(other) for other in self.crystals]
        near = [
            index
            for index in np.argsort(differences, kind="stable").tolist()
            if differences[index] <= REFUSED
        ]
        # of its own space group first: most proposals end here
        near.sort(key=lambda index: self.crystals[index].group != member.group)
        family = None
        index: int
        for index in near:
            if not same_crystal(self.crystals[index].comparable, member.comparable):
                continue
            if member.group in {1, self.crystals[index].group}:
                return index
            family = self.families[index]
            break
        self.crystals.append(member)
        self.families.append(max(self.families, default=-1) + 1 if family is None else family)
        return len(self.crystals) - 1
