"""A neighbour list with a skin: built once, then filtered by distance while the crystal moves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from screening.engines.base import Crystal


@dataclass(frozen=True)
class SkinList:
    """All pairs of atoms closer than ``cutoff + skin`` in a reference geometry, each pair once.

    Attributes
    ----------
    first, second
        Atoms of each pair, shape ``(m,)``.
    image
        Lattice translation of the second atom, shape ``(m, 3)``.
    cutoff, skin
        Distances (Angstrom).
    cell, positions
        The reference geometry (Angstrom).
    """

    first: NDArray[np.int64]
    second: NDArray[np.int64]
    image: NDArray[np.float64]
    cutoff: float
    skin: float
    cell: NDArray[np.float64]
    positions: NDArray[np.float64]

    @classmethod
    def build(cls, crystal: Crystal, cutoff: float, skin: float) -> Self:
        """Find the pairs of a crystal; `cutoff` and `skin` in Angstrom."""
        from pymatgen.optimization.neighbors import find_points_in_spheres

        cell = np.ascontiguousarray(crystal.cell)
        positions = np.ascontiguousarray(crystal.positions)
        first, second, image, _ = find_points_in_spheres(
            positions,
            positions,
            r=float(cutoff + skin),
            pbc=np.array([1, 1, 1], dtype=np.int64),
            lattice=cell,
            tol=1e-8,
        )
        keep = _one_of_two(first, second, image)
        return cls(
            first[keep], second[keep], image[keep], cutoff, skin, cell.copy(), positions.copy()
        )

    def valid_for(self, crystal: Crystal) -> bool:
        """Tell whether no pair outside of the list can have come closer than the cutoff.

        With the deformation F from the reference cell and the displacements d that remain, a pair
        at distance r0 is now at least at ``s r0 - 2 max|d|``, s the smallest singular value of F.
        """
        deformation = np.linalg.solve(self.cell, crystal.cell)
        shift = crystal.positions - self.positions @ deformation
        shift -= shift.mean(axis=0)
        smallest = np.linalg.svd(deformation, compute_uv=False)[-1]
        furthest = np.sqrt((shift**2).sum(axis=1).max())
        return bool(smallest * (self.cutoff + self.skin) - 2 * furthest >= self.cutoff)

    def vectors(self, crystal: Crystal) -> NDArray[np.float64]:
        """Vectors from the first to the second atom (Angstrom), shape ``(m, 3)``."""
        vectors: NDArray[np.float64] = self.image @ crystal.cell
        vectors += crystal.positions[self.second]
        vectors -= crystal.positions[self.first]
        return vectors


def _one_of_two(
    first: NDArray[np.int64], second: NDArray[np.int64], image: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Mark one of the two directions of each pair, and no atom with itself."""
    x, y, z = image.T
    forward = (x > 0) | ((x == 0) & ((y > 0) | ((y == 0) & (z > 0))))
    mask: NDArray[np.bool_] = (first < second) | ((first == second) & forward)
    return mask


def neighbors_of(crystal: Crystal, cutoff: float, skin: float) -> SkinList:
    """Return the crystal's neighbour list, made again only when atoms have moved too far."""
    known = crystal.memo.get("neighbors")
    if (
        isinstance(known, SkinList)
        and (known.cutoff, known.skin) == (cutoff, skin)
        and known.valid_for(crystal)
    ):
        return known
    built = SkinList.build(crystal, cutoff, skin)
    crystal.memo["neighbors"] = built
    return built
