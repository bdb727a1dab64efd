"""Random crystals in compiled code: cells, coordinates and the check of their distances.

A crystal is drawn orbit by orbit and dropped at the first distance that is too short. The order in
which distances are looked at does not change which crystals are kept.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from screening.compiled import compiled
from screening.crystal.systems import FAMILIES
from screening.crystal.wyckoff_occupations import Integers, Tables, occupy

Floats = NDArray[np.float64]
Triple = tuple[float, float, float]

TRIALS = 64
"""Crystals that are drawn with one occupation before it is given up."""
LENGTH_SPREAD = 0.4
VOLUME_RANGE = (0.95, 1.25)
ANGLES = (60.0, 120.0)
MIN_CELL = 0.35
TRICLINIC, MONOCLINIC, _, TETRAGONAL, HEXAGONAL, CUBIC = range(len(FAMILIES))


class Request(NamedTuple):
    """What is to be drawn.

    Attributes
    ----------
    groups
        Indices of the space groups, shape ``(g,)``.
    cumulative
        Their cumulative probabilities, shape ``(g,)``.
    units
        Formula units in the primitive cell, all alike, shape ``(u,)``.
    counts
        Atoms of each element in the formula unit, shape ``(k,)``.
    radii
        Covalent radii of the elements (Angstrom), shape ``(k,)``.
    volume
        Expected volume (Angstrom^3/atom).
    least
        Shortest distance in units of the sum of the covalent radii.
    per_occupation
        Most crystals of one choice of Wyckoff positions.
    """

    groups: Integers
    cumulative: Floats
    units: Integers
    counts: Integers
    radii: Floats
    volume: float
    least: float
    per_occupation: int


class Drawn(NamedTuple):
    """Room for ``n`` crystals of at most ``m`` atoms.

    Attributes
    ----------
    groups
        Index of the space group, shape ``(n,)``.
    n_orbits, n_atoms
        How many there are in the primitive cell, shape ``(n,)``.
    letters, elements
        Wyckoff letter and element (index in the request) of each orbit, shape ``(n, m)``.
    parameters
        Free coordinates of each orbit, shape ``(n, m, 3)``.
    cells
        Conventional cells, shape ``(n, 6)``.
    lattices
        Primitive lattices, shape ``(n, 3, 3)``.
    points
        Atoms in units of them, orbit after orbit, shape ``(n, m, 3)``.
    kinds
        Element of each atom, shape ``(n, m)``.
    """

    groups: Integers
    n_orbits: Integers
    n_atoms: Integers
    letters: Integers
    elements: Integers
    parameters: Floats
    cells: Floats
    lattices: Floats
    points: Floats
    kinds: Integers

    @classmethod
    def room(cls, n: int, m: int) -> Drawn:
        """Make room."""
        return cls(
            groups=np.zeros(n, dtype=np.int64),
            n_orbits=np.zeros(n, dtype=np.int64),
            n_atoms=np.zeros(n, dtype=np.int64),
            letters=np.zeros((n, m), dtype=np.int64),
            elements=np.zeros((n, m), dtype=np.int64),
            parameters=np.zeros((n, m, 3)),
            cells=np.zeros((n, 6)),
            lattices=np.zeros((n, 3, 3)),
            points=np.zeros((n, m, 3)),
            kinds=np.zeros((n, m), dtype=np.int64),
        )


@compiled
def _draw_shape(system: int, rng: np.random.Generator, cell: Floats) -> None:
    """Fill `cell` with lengths of any scale and angles (degrees) of a crystal system."""
    for axis in range(3):
        cell[axis] = np.exp(LENGTH_SPREAD * rng.standard_normal())
        cell[3 + axis] = 90.0
    if system in (TETRAGONAL, HEXAGONAL, CUBIC):
        cell[1] = cell[0]
    if system == CUBIC:
        cell[2] = cell[0]
    if system == HEXAGONAL:
        cell[5] = 120.0
    if system == MONOCLINIC:
        cell[4] = 90.0 + (ANGLES[1] - 90.0) * rng.random()
    if system == TRICLINIC:
        for axis in range(3, 6):
            cell[axis] = ANGLES[0] + (ANGLES[1] - ANGLES[0]) * rng.random()


@compiled
def draw_cell(system: int, volume: float, rng: np.random.Generator, cell: Floats) -> Floats:
    """Draw a conventional cell of a crystal system.

    Parameters
    ----------
    system
        Index in `FAMILIES`.
    volume
        Volume (Angstrom^3).
    rng
        Source of randomness.
    cell
        Filled with lengths (Angstrom) and angles (degrees), shape ``(6,)``.

    Returns
    -------
    Its vectors as `lattice_matrix` gives them, shape ``(3, 3)``.
    """
    while True:
        _draw_shape(system, rng, cell)
        a, b, c = (
            np.cos(np.radians(cell[3])),
            np.cos(np.radians(cell[4])),
            np.cos(np.radians(cell[5])),
        )
        square = 1 - a * a - b * b - c * c + 2 * a * b * c
        if square >= MIN_CELL**2:  # otherwise too flat, or no cell at all: draw again
            break
    scale = np.cbrt(volume / (cell[0] * cell[1] * cell[2] * np.sqrt(square)))
    for axis in range(3):
        cell[axis] *= scale
    sine = np.sqrt(1 - c * c)
    vectors = np.zeros((3, 3))
    vectors[0, 0] = cell[0]
    vectors[1, 0], vectors[1, 1] = cell[1] * c, cell[1] * sine
    vectors[2, 0], vectors[2, 1] = cell[2] * b, cell[2] * (a - b * c) / sine
    vectors[2, 2] = cell[2] * np.sqrt(square) / sine
    return vectors


@compiled
def _height(lattice: Floats, axis: int) -> float:
    """Distance between the faces that a lattice vector connects."""
    u, v, w = lattice[(axis + 1) % 3], lattice[(axis + 2) % 3], lattice[axis]
    x, y, z = u[1] * v[2] - u[2] * v[1], u[2] * v[0] - u[0] * v[2], u[0] * v[1] - u[1] * v[0]
    height: float = abs(w[0] * x + w[1] * y + w[2] * z) / np.sqrt(x * x + y * y + z * z)
    return height


@compiled
def _too_close(lattice: Floats, reach: Triple, step: Triple, limit: float) -> bool:
    """Tell whether `step`, or its sum with a lattice vector, is shorter than `limit`.

    Steps are in units of the lattice and within +-0.5; `reach` is the largest limit in units of the
    heights of the cell. An atom's step to itself is 0 and does not count.
    """
    last_a, last_b = int(reach[0] + abs(step[0])), int(reach[1] + abs(step[1]))
    last_c = int(reach[2] + abs(step[2]))
    for a in range(-last_a, last_a + 1):
        for b in range(-last_b, last_b + 1):
            for c in range(-last_c, last_c + 1):
                u, v, w = step[0] + a, step[1] + b, step[2] + c
                x = u * lattice[0, 0] + v * lattice[1, 0] + w * lattice[2, 0]
                y = u * lattice[0, 1] + v * lattice[1, 1] + w * lattice[2, 1]
                z = u * lattice[0, 2] + v * lattice[1, 2] + w * lattice[2, 2]
                square = x * x + y * y + z * z
                if square < limit * limit and square > 0:
                    return True
    return False


@compiled
def _fits(  # noqa: PLR0917 - compiled code takes arrays one by one
    lattice: Floats, points: Floats, kinds: Integers, radii: Floats, least: float, first: int
) -> bool:
    """Tell whether atom `first` keeps its distances from all `points` and their images.

    `radii` are those of the elements, `kinds` the elements of the points.
    """
    own = radii[kinds[first]]
    far = least * (own + radii.max())
    reach = (far / _height(lattice, 0), far / _height(lattice, 1), far / _height(lattice, 2))
    for j in range(len(points)):
        u, v = points[j, 0] - points[first, 0], points[j, 1] - points[first, 1]
        w = points[j, 2] - points[first, 2]
        step = (u - np.round(u), v - np.round(v), w - np.round(w))
        if j != first and step == (0.0, 0.0, 0.0):
            return False
        if _too_close(lattice, reach, step, least * (own + radii[kinds[j]])):
            return False
    return True


@compiled
def _draw_atoms(  # noqa: PLR0917 - compiled code takes arrays one by one
    table: Tables,
    request: Request,
    occupation: list[tuple[int, int]],
    rng: np.random.Generator,
    drawn: Drawn,
    place: int,
) -> bool:
    """Draw the atoms of a crystal into its lattice; False at a distance that is too short."""
    lattice, points, kinds = drawn.lattices[place], drawn.points[place], drawn.kinds[place]
    first = table.first_position[drawn.groups[place]]
    n = 0
    for orbit, (letter, element) in enumerate(occupation):
        position = first + letter
        own = drawn.parameters[place, orbit]
        for axis in range(3):
            own[axis] = rng.random() if table.free[position, axis] else 0.0
        start = n
        for operation in range(table.multiplicities[position]):
            matrix = table.matrices[table.first_operation[position] + operation]
            offset = table.offsets[table.first_operation[position] + operation]
            for axis in range(3):
                value = matrix[axis, 0] * own[0] + matrix[axis, 1] * own[1]
                points[n, axis] = value + matrix[axis, 2] * own[2] + offset[axis]
            kinds[n] = element
            n += 1
        if not _fits(lattice, points[:n], kinds, request.radii, request.least, start):
            return False
        drawn.letters[place, orbit], drawn.elements[place, orbit] = letter, element
    drawn.n_orbits[place], drawn.n_atoms[place] = len(occupation), n
    return True


@compiled
def draw(
    table: Tables, request: Request, rng: np.random.Generator, attempts: int, drawn: Drawn
) -> int:
    """Draw crystals until there is no more room, or so many occupations were chosen.

    Parameters
    ----------
    table
        `tables()`.
    request
        What is to be drawn.
    rng
        Source of randomness.
    attempts
        Most choices of space group, formula units and Wyckoff positions.
    drawn
        Filled with the crystals.

    Returns
    -------
    Number of crystals.
    """
    n, size = 0, len(drawn.groups)
    for _ in range(attempts):
        if n == size:
            break
        choice = np.searchsorted(request.cumulative, rng.random() * request.cumulative[-1], "right")
        group = request.groups[min(choice, len(request.groups) - 1)]
        counts = request.counts * request.units[int(rng.random() * len(request.units))]
        occupation = occupy(table, group, counts, rng)
        if len(occupation) == 0:
            continue
        volume = request.volume * counts.sum() / abs(np.linalg.det(table.primitive[group]))
        kept = 0
        for _ in range(TRIALS):
            if kept == request.per_occupation or n == size:
                break
            factor = VOLUME_RANGE[0] + (VOLUME_RANGE[1] - VOLUME_RANGE[0]) * rng.random()
            drawn.groups[n] = group
            vectors = draw_cell(table.systems[group], volume * factor, rng, drawn.cells[n])
            drawn.lattices[n] = np.dot(table.primitive[group], vectors)
            if _draw_atoms(table, request, occupation, rng, drawn, n):
                kept += 1
                n += 1
    return n
