"""From genes to atoms and the vectors between nearest images, in compiled code."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from screening.compiled import compiled
from screening.structure.random.sampling import CUBIC, HEXAGONAL, MONOCLINIC, TETRAGONAL, TRICLINIC

if TYPE_CHECKING:
    from screening.crystal.wyckoff_occupations import Tables
    from screening.structure.alphacrystal.assignment import Problem

Floats = NDArray[np.float64]

STRETCH = 0.7
"""Genes of free lengths and of the volume go over this range of logarithms."""
VOLUME_STRETCH = 0.2
ANGLE = 35.0
"""Free angles are within so many degrees of 90."""
CELL_GENES = 7
_REDUCTIONS = 20


@compiled
def cell_of_genes(problem: Problem, index: int, genes: Floats) -> Floats:
    """Conventional cell: lengths (Angstrom) and angles (degrees), shape ``(6,)``."""
    if not problem.free_cell:
        return problem.cells[index].copy()  # type: ignore[no-any-return]
    cell = np.full(6, 90.0)
    system = problem.systems[index]
    for axis in range(3):
        cell[axis] = np.exp(STRETCH * (2 * genes[axis] - 1))
    if system in (TETRAGONAL, HEXAGONAL, CUBIC):
        cell[1] = cell[0]
    if system == CUBIC:
        cell[2] = cell[0]
    if system == HEXAGONAL:
        cell[5] = 120.0
    if system == MONOCLINIC:
        cell[4] = 90.0 + ANGLE * genes[4]
    if system == TRICLINIC:
        for axis in range(3, 6):
            cell[axis] = 90.0 + ANGLE * (2 * genes[axis] - 1)
    volume = abs(np.linalg.det(vectors_of(cell)))
    wanted = problem.volumes[index] * np.exp(VOLUME_STRETCH * (2 * genes[6] - 1))
    cell[:3] *= (wanted / max(volume, 1e-3)) ** (1 / 3)
    return cell


@compiled
def vectors_of(cell: Floats) -> Floats:
    """Row vectors of a cell as `lattice_matrix` gives them, shape ``(3, 3)``."""
    a, b, c = np.cos(np.radians(cell[3])), np.cos(np.radians(cell[4])), np.cos(np.radians(cell[5]))
    sine = np.sqrt(1 - c * c)
    vectors = np.zeros((3, 3))
    y = (a - b * c) / sine
    vectors[0, 0] = cell[0]
    vectors[1, 0], vectors[1, 1] = cell[1] * c, cell[1] * sine
    vectors[2, 0], vectors[2, 1] = cell[2] * b, cell[2] * y
    vectors[2, 2] = cell[2] * np.sqrt(max(1 - b * b - y * y, 1e-6))
    return vectors


@compiled
def lattice_of_genes(table: Tables, problem: Problem, index: int, genes: Floats) -> Floats:
    """Primitive vectors (Angstrom), shape ``(3, 3)``."""
    vectors = vectors_of(cell_of_genes(problem, index, genes))
    return np.dot(table.primitive[problem.groups[index]], vectors)  # type: ignore[no-any-return]


@compiled
def points_of_genes(table: Tables, problem: Problem, index: int, genes: Floats) -> Floats:
    """Atoms in units of the primitive vectors, orbit after orbit, shape ``(n, 3)``."""
    n_orbits = problem.n_orbits[index]
    free = np.zeros((n_orbits, 3))
    first = CELL_GENES if problem.free_cell else 0
    for gene in range(problem.n_genes[index]):
        orbit, axis = problem.gene_orbit[index, gene], problem.gene_axis[index, gene]
        free[orbit, axis] = genes[first + gene]
    points = np.zeros((len(problem.kinds), 3))
    n = 0
    for orbit in range(n_orbits):
        position = table.first_position[problem.groups[index]] + problem.letters[index, orbit]
        start = table.first_operation[position]
        for operation in range(start, start + table.multiplicities[position]):
            for axis in range(3):
                value = table.offsets[operation, axis]
                for k in range(3):
                    value += table.matrices[operation, axis, k] * free[orbit, k]
                points[n, axis] = value
            n += 1
    return points


@compiled
def shorten(lattice: Floats, points: Floats) -> None:
    """Make the vectors of a cell short, pair by pair, and express the points in them; in place."""
    for _ in range(_REDUCTIONS):
        changed = False
        for i in range(3):
            for j in range(3):
                if i == j:
                    continue
                product, square = 0.0, 0.0
                for axis in range(3):
                    product += lattice[i, axis] * lattice[j, axis]
                    square += lattice[j, axis] * lattice[j, axis]
                times = np.round(product / square)
                if abs(product) > 0.5000001 * square:
                    for axis in range(3):
                        lattice[i, axis] -= times * lattice[j, axis]
                    for k in range(len(points)):
                        points[k, j] += times * points[k, i]
                    changed = True
        if not changed:
            return


@compiled
def _shifts(lattice: Floats) -> Floats:
    """Give the 13 shifts to neighbouring cells and half their squares, shortest first: (13, 4).

    The 13 others are their opposites.
    """
    shifts = np.zeros((13, 4))
    shift = np.zeros(4)
    count = 0
    for a in range(-1, 2):
        for b in range(-1, 2):
            for c in range(-1, 2):
                if 9 * a + 3 * b + c <= 0:
                    continue
                for axis in range(3):
                    step = a * lattice[0, axis] + b * lattice[1, axis] + c * lattice[2, axis]
                    shift[axis] = step
                shift[3] = (shift[0] ** 2 + shift[1] ** 2 + shift[2] ** 2) / 2
                place = count
                while place > 0 and shifts[place - 1, 3] > shift[3]:
                    shifts[place] = shifts[place - 1]
                    place -= 1
                shifts[place] = shift
                count += 1
    return shifts


@compiled
def nearest_images(lattice: Floats, points: Floats) -> tuple[Floats, Floats]:
    """Vectors from each atom to the nearest image of each earlier one.

    Parameters
    ----------
    lattice
        Row vectors as `shorten` leaves them (Angstrom), shape ``(3, 3)``.
    points
        Fractional coordinates, shape ``(n, 3)``.

    Returns
    -------
    Vectors (Angstrom), shape ``(n, n, 3)``, filled below the diagonal; distances (Angstrom), shape
    ``(n, n)``, symmetric, 0 on the diagonal.
    """
    n = len(points)
    vectors, distances = np.zeros((n, n, 3)), np.zeros((n, n))
    shifts = _shifts(lattice)
    for i in range(n):
        for j in range(i):
            u, v = points[i, 0] - points[j, 0], points[i, 1] - points[j, 1]
            w = points[i, 2] - points[j, 2]
            u, v, w = u - np.floor(u + 0.5), v - np.floor(v + 0.5), w - np.floor(w + 0.5)
            x = u * lattice[0, 0] + v * lattice[1, 0] + w * lattice[2, 0]
            y = u * lattice[0, 1] + v * lattice[1, 1] + w * lattice[2, 1]
            z = u * lattice[0, 2] + v * lattice[1, 2] + w * lattice[2, 2]
            square = x * x + y * y + z * z
            least, place, sign = 0.0, -1, 0.0
            for k in range(13):
                half = shifts[k, 3]
                if half >= 2 * square:  # this shift, and all longer ones, lead farther away
                    break
                along = x * shifts[k, 0] + y * shifts[k, 1] + z * shifts[k, 2]
                change = half - abs(along)
                if change < least:
                    least, place, sign = change, k, -1.0 if along > 0 else 1.0
            if place >= 0:
                x += sign * shifts[place, 0]
                y += sign * shifts[place, 1]
                z += sign * shifts[place, 2]
                square = x * x + y * y + z * z
            vectors[i, j, 0], vectors[i, j, 1], vectors[i, j, 2] = x, y, z
            distances[i, j] = distances[j, i] = np.sqrt(square)
    return vectors, distances


@compiled
def distances_of_genes(table: Tables, problem: Problem, index: int, genes: Floats) -> Floats:
    """Distances between nearest images (Angstrom), shape ``(n, n)``."""
    lattice = lattice_of_genes(table, problem, index, genes)
    points = points_of_genes(table, problem, index, genes)
    shorten(lattice, points)
    return nearest_images(lattice, points)[1]
