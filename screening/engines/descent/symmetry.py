"""Space groups of relaxing crystals: found with spglib, kept by averaging over the group.

spglib: Togo et al. 2024, doi:10.1080/27660400.2024.2384822.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from screening.crystal.symmetry_dataset import symmetry_dataset
from screening.engines.base import Crystal

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pymatgen.core import Structure


def _dataset(crystal: Crystal, symprec: float) -> Any:
    fractional = crystal.positions @ np.linalg.inv(crystal.cell)
    return symmetry_dataset(crystal.cell, fractional, crystal.numbers, symprec)


def space_group(crystal: Crystal, symprec: float) -> int | None:
    """Space group number, None where spglib finds none; `symprec` in Angstrom."""
    found = _dataset(crystal, symprec)
    return None if found is None else int(found.number)


def symmetrised(structure: Structure, symprec: float) -> Structure | None:
    """Move cell and atoms to the nearest ones that have the space group exactly.

    Parameters
    ----------
    structure
        An ordered structure; sites keep their order, and the cell its setting.
    symprec
        Distance tolerance of the space group (Angstrom).

    Returns
    -------
    Structure or None
        None where spglib finds no symmetry.
    """
    crystal = Crystal.from_structure(structure)
    group = SymmetryGroup.find(crystal, symprec)
    if group is None:
        return None
    group.symmetrise_crystal(crystal)
    return crystal.to_structure()


@dataclass(frozen=True)
class SymmetryGroup:
    """The operations of a crystal, in fractional coordinates of its cell.

    Attributes
    ----------
    rotations
        Shape ``(g, 3, 3)``: fractional column vectors ``x -> R x + t``.
    translations
        Shape ``(g, 3)``.
    source
        ``source[o, k]`` is the atom that operation ``o`` takes to atom ``k``, shape ``(g, n)``.
    """

    rotations: NDArray[np.float64]
    translations: NDArray[np.float64]
    source: NDArray[np.int64]

    @classmethod
    def find(cls, crystal: Crystal, symprec: float) -> Self | None:
        """Find the operations within `symprec` (Angstrom); None where spglib finds none."""
        found = _dataset(crystal, symprec)
        if found is None:
            return None
        rotations = np.array(found.rotations, dtype=np.float64)
        translations = np.array(found.translations)
        fractional = crystal.positions @ np.linalg.inv(crystal.cell)
        source = np.empty((len(rotations), len(crystal)), dtype=np.int64)
        for index, (rotation, translation) in enumerate(zip(rotations, translations, strict=True)):
            images = fractional @ rotation.T + translation
            difference = images[:, None] - fractional[None]
            difference -= np.round(difference)
            distance = np.einsum("ijk,ijk->ij", *(2 * [difference @ crystal.cell]))
            distance[crystal.numbers[:, None] != crystal.numbers[None]] = np.inf
            source[index, distance.argmin(axis=1)] = np.arange(len(crystal))
        return cls(rotations, translations, source)

    def _cartesian(self, crystal: Crystal) -> NDArray[np.float64]:
        """Matrices that act on cartesian row vectors from the right, shape ``(g, 3, 3)``."""
        turned = np.linalg.inv(crystal.cell) @ self.rotations.transpose(0, 2, 1) @ crystal.cell
        matrices: NDArray[np.float64] = turned
        return matrices

    def symmetrise_vectors(
        self, crystal: Crystal, vectors: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Average forces or displacements over the group, shape ``(n, 3)``."""
        turned = np.einsum("oka,oab->kb", vectors[self.source], self._cartesian(crystal))
        mean: NDArray[np.float64] = turned / len(self.rotations)
        return mean

    def symmetrise_tensor(
        self, crystal: Crystal, tensor: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Average a stress over the group, shape ``(3, 3)``."""
        matrices = self._cartesian(crystal)
        turned = np.einsum("oac,ab,obd->cd", matrices, tensor, matrices)
        mean: NDArray[np.float64] = turned / len(matrices)
        return mean

    def symmetrise_crystal(self, crystal: Crystal) -> None:
        """Move cell and atoms, in place, to the nearest ones that have the symmetry exactly."""
        fractional = crystal.positions @ np.linalg.inv(crystal.cell)
        metric = crystal.cell @ crystal.cell.T
        rotations = self.rotations
        metric = np.einsum("oia,ij,ojb->ab", rotations, metric, rotations) / len(rotations)
        lower = np.linalg.cholesky(metric)
        left, _, right = np.linalg.svd(np.linalg.solve(lower, crystal.cell))
        crystal.cell[:] = lower @ left @ right
        images = np.einsum("oia,oka->oki", rotations, fractional[self.source])
        images += self.translations[:, None]
        shift = images - fractional
        shift -= np.round(shift)
        crystal.positions[:] = (fractional + shift.mean(axis=0)) @ crystal.cell
