"""The 14 Bravais classes, and the cells that belong to them.

The classes are those of CRYSPNet (Liang et al. 2020, doi:10.1103/PhysRevMaterials.4.123802):
trigonal P counts as hexagonal P, the R groups are 'rhombohedral P' in the rhombohedral cell, and
base-centred orthorhombic and monoclinic cells are C (A and B are renamed).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

BRAVAIS = (
    "cubic F",
    "cubic I",
    "cubic P",
    "hexagonal P",
    "rhombohedral P",
    "tetragonal I",
    "tetragonal P",
    "orthorhombic F",
    "orthorhombic I",
    "orthorhombic C",
    "orthorhombic P",
    "monoclinic C",
    "monoclinic P",
    "triclinic P",
)
"""The classes, in the order of the model's outputs."""

_FREE: dict[str, tuple[int, ...]] = {
    "cubic": (0,),
    "hexagonal": (0, 2),
    "rhombohedral": (0, 3),
    "tetragonal": (0, 2),
    "orthorhombic": (0, 1, 2),
    "monoclinic": (0, 1, 2, 4),
    "triclinic": (0, 1, 2, 3, 4, 5),
}
PARAMETERS = ("a", "b", "c", "alpha", "beta", "gamma")


def free_parameters(bravais: int) -> tuple[int, ...]:
    """Positions in (a, b, c, alpha, beta, gamma) that a class leaves free."""
    return _FREE[BRAVAIS[bravais].split()[0]]


def lattice_points(bravais: int) -> int:
    """Lattice points in the conventional cell of a class: 1, 2 or 4."""
    return {"P": 1, "C": 2, "I": 2, "F": 4}[BRAVAIS[bravais].split()[1]]


def cell_parameters(lattice: NDArray[np.float64]) -> NDArray[np.float64]:
    """Lengths (Angstrom) and angles (degrees), shape ``(6,)``, of row vectors ``(3, 3)``."""
    lengths = np.linalg.norm(lattice, axis=1)
    unit = lattice / lengths[:, None]
    cosines = [unit[1] @ unit[2], unit[0] @ unit[2], unit[0] @ unit[1]]
    return np.concatenate([lengths, np.degrees(np.arccos(np.clip(cosines, -1, 1)))])


def cell_volume(parameters: NDArray[np.float64]) -> NDArray[np.float64]:
    """Volume (Angstrom^3) of cells ``(..., 6)``; NaN where the angles close no cell."""
    a, b, c = np.moveaxis(np.cos(np.radians(parameters[..., 3:])), -1, 0)
    square = 1 - a * a - b * b - c * c + 2 * a * b * c
    with np.errstate(invalid="ignore"):
        volume: NDArray[np.float64] = parameters[..., :3].prod(axis=-1) * np.sqrt(square)
    return volume


def rhombohedral(a: float, c: float) -> NDArray[np.float64]:
    """Rhombohedral cell, shape ``(6,)``, of the hexagonal cell with lengths `a` and `c`."""
    length = np.sqrt(a**2 / 3 + c**2 / 9)
    angle = np.degrees(np.arccos((2 * c**2 - 3 * a**2) / (2 * (c**2 + 3 * a**2))))
    return np.array([length, length, length, angle, angle, angle])


def full_cells(bravais: int, free: NDArray[np.float64]) -> NDArray[np.float64]:
    """Complete the free parameters of a class, ``(n, k)``, to cells ``(n, 6)``."""
    columns = free_parameters(bravais)
    cells = np.full((len(free), 6), 90.0)
    cells[:, columns] = free
    system = BRAVAIS[bravais].split()[0]
    if system in {"cubic", "rhombohedral"}:
        cells[:, 1] = cells[:, 2] = cells[:, 0]
    if system in {"hexagonal", "tetragonal"}:
        cells[:, 1] = cells[:, 0]
    if system == "hexagonal":
        cells[:, 5] = 120.0
    if system == "rhombohedral":
        cells[:, 4] = cells[:, 5] = cells[:, 3]
    return cells


def close_cells(cells: NDArray[np.float64]) -> NDArray[np.float64]:
    """Move angles towards 90 degrees, by halves, until every cell ``(..., 6)`` has a volume."""
    cells = cells.copy()
    for _ in range(5):
        open_ = ~(cell_volume(cells) > 1e-3 * cells[..., :3].prod(axis=-1))
        if not open_.any():
            break
        cells[open_, 3:] = 90 + 0.5 * (cells[open_, 3:] - 90)
    return cells


def whole_cells(
    cells: NDArray[np.float64], formula_volume: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Scale cells so that each holds a whole number of formula units on every lattice point.

    Parameters
    ----------
    cells
        One cell for each class, shape ``(n, 14, 6)``.
    formula_volume
        Volume of the reduced formula (Angstrom^3), shape ``(n,)``.

    Returns
    -------
    Cells of the same shapes (angles and ratios of lengths) with the nearest possible volumes.
    """
    points = np.array([lattice_points(k) for k in range(len(BRAVAIS))])
    units = cell_volume(cells) / (formula_volume[:, None] * points)
    scale = (np.maximum(1, np.round(units)) / units) ** (1 / 3)
    return np.concatenate([cells[..., :3] * scale[..., None], cells[..., 3:]], axis=-1)
