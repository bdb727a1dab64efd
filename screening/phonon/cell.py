"""The primitive cell, its symmetry, and the path through its Brillouin zone.

Path and primitive cell: Hinuma et al. 2017, doi:10.1016/j.commatsci.2016.10.015 (seekpath).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from screening.crystal.symmetry_dataset import symmetry_dataset

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from screening.engines import Crystal


@dataclass(frozen=True)
class PrimitiveCell:
    """A primitive cell with exact symmetry.

    Attributes
    ----------
    lattice
        Vectors as rows (Angstrom).
    fractional
        Positions, shape ``(n, 3)``.
    numbers
        Atomic numbers, shape ``(n,)``.
    conventional
        Vectors of the conventional cell as rows (Angstrom).
    rotations
        Point group in fractional coordinates, shape ``(g, 3, 3)``.
    path
        Segments of the band path, as pairs of labels.
    points
        Fractional coordinates of the labels.
    """

    lattice: NDArray[np.float64]
    fractional: NDArray[np.float64]
    numbers: NDArray[np.int64]
    conventional: NDArray[np.float64]
    rotations: NDArray[np.int64]
    path: list[tuple[str, str]]
    points: dict[str, NDArray[np.float64]]

    @classmethod
    def find(cls, crystal: Crystal, symprec: float) -> Self | None:
        """Find the primitive cell within `symprec` (Angstrom); None where there is no symmetry."""
        import seekpath

        fractional = crystal.positions @ np.linalg.inv(crystal.cell)
        try:
            found = seekpath.get_path((crystal.cell, fractional, crystal.numbers), symprec=symprec)
        except Exception:  # noqa: BLE001 - seekpath and spglib have many ways to say no
            return None
        lattice = np.array(found["primitive_lattice"])
        positions = np.array(found["primitive_positions"])
        numbers = np.array(found["primitive_types"], dtype=np.int64)
        dataset = symmetry_dataset(lattice, positions, numbers, symprec)
        if dataset is None:
            return None
        return cls(
            lattice,
            positions,
            numbers,
            np.array(found["conv_lattice"]),
            np.array(dataset.rotations, dtype=np.int64),
            list(found["path"]),
            {name: np.array(point) for name, point in found["point_coords"].items()},
        )

    @classmethod
    def keep(cls, crystal: Crystal, symprec: float) -> Self | None:
        """Take a primitive cell as it is, with its own vectors and order of atoms."""
        import seekpath

        fractional = crystal.positions @ np.linalg.inv(crystal.cell)
        dataset = symmetry_dataset(crystal.cell, fractional, crystal.numbers, symprec)
        if dataset is None:
            return None
        try:
            found = seekpath.get_path_orig_cell(
                (crystal.cell, fractional, crystal.numbers), symprec=symprec
            )
        except Exception:  # noqa: BLE001 - as above
            return None
        return cls(
            crystal.cell,
            fractional,
            crystal.numbers,
            crystal.cell,
            np.array(dataset.rotations, dtype=np.int64),
            list(found["path"]),
            {name: np.array(point) for name, point in found["point_coords"].items()},
        )

    def band_path(self, spacing: float) -> dict[str, Any]:
        """Lay q-points on the band path, about `spacing` apart (1/Angstrom, without 2 pi).

        Returns
        -------
        dict
            ``qpoints (nq, 3)``, ``distances (nq,)`` in 1/Angstrom, ``ticks`` and ``labels``; where
            the path jumps, two labels share a tick (``U|K``).
        """
        reciprocal = np.linalg.inv(self.lattice).T
        qpoints: list[NDArray[np.float64]] = []
        distances: list[NDArray[np.float64]] = []
        ticks: list[float] = []
        labels: list[str] = []
        at = 0.0
        for start, end in self.path:
            first, last = self.points[start], self.points[end]
            length = float(np.linalg.norm((last - first) @ reciprocal))
            steps = np.linspace(0, 1, max(2, round(length / spacing) + 1))
            qpoints.append(first + steps[:, None] * (last - first))
            distances.append(at + steps * length)
            _label(ticks, labels, at, start)
            at += length
            _label(ticks, labels, at, end)
        return {
            "qpoints": np.concatenate(qpoints),
            "distances": np.concatenate(distances),
            "ticks": ticks,
            "labels": labels,
        }


def _label(ticks: list[float], labels: list[str], at: float, label: str) -> None:
    """Add a tick, or a second label to the tick that is there."""
    name = "\u0393" if label == "GAMMA" else label
    if not ticks or ticks[-1] != at:
        ticks.append(at)
        labels.append(name)
    elif labels[-1] != name:
        labels[-1] += f"|{name}"
