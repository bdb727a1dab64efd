"""How well free coordinates of Wyckoff positions reproduce a map, in compiled code.

The genes of a crystal are the true free parameters of its orbits and, where it is not given, of its
cell: coordinates that symmetry ties together stay together, special positions have no genes. The
fitness of a contact map is AlphaCrystal's (Dice times the share of bonds that are not too short),
that of distances AlphaCrystal-II's (minus the root mean square error), after equal atoms were
exchanged to fit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from screening.compiled import compiled
from screening.metrics.contacts import CONTACT_TOLERANCE
from screening.structure.drawing import CUBIC, HEXAGONAL, MONOCLINIC, TETRAGONAL, TRICLINIC
from screening.structure.maps.alignment import descend
from screening.structure.maps.targets import minimum_image

if TYPE_CHECKING:
    from screening.structure.wyckoff_sampling import Integers, Tables

Floats = NDArray[np.float64]
Booleans = NDArray[np.bool_]

STRETCH = 0.7
"""Genes of free lengths and of the volume go over this range of logarithms."""
VOLUME_STRETCH = 0.2
ANGLE = 35.0
"""Free angles are within so many degrees of 90."""
CELL_GENES = 7
CROSSOVER = 0.8
PERFECT, CLOSE = 0.9999, 1e-3
"""Fitness of contacts, and error of distances (Angstrom), at which a search ends."""


class Problem(NamedTuple):
    """What a population of crystals is compared with.

    Attributes
    ----------
    group
        Index of the space group.
    system
        Index of its crystal system in `SYSTEMS`.
    letters
        Wyckoff letter of each orbit as an index, shape ``(o,)``; orbits in order of their kinds.
    gene_orbit, gene_axis
        Orbit and coordinate of each gene of a position, shape ``(g,)``.
    cell
        Conventional cell, shape ``(6,)``; used if `free_cell` is False.
    free_cell
        Whether the cell has genes: three lengths, three angles, the volume.
    volume
        Expected volume of the conventional cell (Angstrom^3).
    target
        Distances (Angstrom), or contacts as 0 and 1, shape ``(n, n)``.
    kinds
        Element of each atom, ascending, shape ``(n,)``.
    sums
        Sum of the covalent radii of each pair (Angstrom), shape ``(n, n)``.
    bonding
        Whether a pair may be in contact: not two metals, shape ``(n, n)``.
    contacts
        Whether the target is a contact map.
    """

    group: int
    system: int
    letters: Integers
    gene_orbit: Integers
    gene_axis: Integers
    cell: Floats
    free_cell: bool
    volume: float
    target: Floats
    kinds: Integers
    sums: Floats
    bonding: Booleans
    contacts: bool


@compiled
def cell_of_genes(problem: Problem, genes: Floats) -> Floats:
    """Conventional cell: lengths (Angstrom) and angles (degrees), shape ``(6,)``."""
    if not problem.free_cell:
        return problem.cell.copy()
    cell = np.full(6, 90.0)
    first = len(problem.gene_orbit)
    system = problem.system
    for axis in range(3):
        cell[axis] = np.exp(STRETCH * (2 * genes[first + axis] - 1))
    if system in (TETRAGONAL, HEXAGONAL, CUBIC):
        cell[1] = cell[0]
    if system == CUBIC:
        cell[2] = cell[0]
    if system == HEXAGONAL:
        cell[5] = 120.0
    if system == MONOCLINIC:
        cell[4] = 90.0 + ANGLE * genes[first + 4]
    if system == TRICLINIC:
        for axis in range(3, 6):
            cell[axis] = 90.0 + ANGLE * (2 * genes[first + axis] - 1)
    volume = abs(np.linalg.det(vectors_of(cell)))
    wanted = problem.volume * np.exp(VOLUME_STRETCH * (2 * genes[first + 6] - 1))
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
def points_of_genes(table: Tables, problem: Problem, genes: Floats) -> Floats:
    """Atoms in units of the primitive vectors, orbit after orbit, shape ``(n, 3)``."""
    free = np.zeros((len(problem.letters), 3))
    for gene in range(len(problem.gene_orbit)):
        free[problem.gene_orbit[gene], problem.gene_axis[gene]] = genes[gene]
    points = np.zeros((len(problem.kinds), 3))
    n = 0
    for orbit in range(len(problem.letters)):
        position = table.first_position[problem.group] + problem.letters[orbit]
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
def distances_of_genes(table: Tables, problem: Problem, genes: Floats) -> Floats:
    """Distances between nearest images (Angstrom), shape ``(n, n)``."""
    vectors = vectors_of(cell_of_genes(problem, genes))
    lattice = np.dot(table.primitive[problem.group], vectors)
    return minimum_image(lattice, points_of_genes(table, problem, genes))


@compiled
def score_distances(problem: Problem, distances: Floats) -> float:
    """Fitness of the distances of a crystal; higher is better."""
    n = len(problem.kinds)
    order = np.arange(n)
    if not problem.contacts:
        descend(problem.target, distances, problem.kinds, order)
        total, short = 0.0, 0
        for i in range(n):
            for j in range(i):
                own = distances[order[i], order[j]]
                total += (problem.target[i, j] - own) ** 2
                short += own < problem.sums[i, j] / 2
        error: float = np.sqrt(total / max(n * (n - 1) / 2, 1))
        return -error - short
    found = np.zeros((n, n))
    short = 0
    for i in range(n):
        for j in range(n):
            step = distances[i, j] - problem.sums[i, j]
            if i != j and problem.bonding[i, j] and abs(step) <= CONTACT_TOLERANCE:
                found[i, j] = 1.0
            short += i < j and step < -CONTACT_TOLERANCE
    descend(problem.target, found, problem.kinds, order)
    both, valid, wanted = 0.0, 0.0, 0.0
    for i in range(n):
        for j in range(i):
            both += problem.target[i, j] * found[order[i], order[j]]
            valid += found[i, j]
            wanted += problem.target[i, j]
    dice = 2 * both / (valid + wanted) if valid + wanted > 0 else 1.0
    return dice * (valid / (valid + short)) if valid + short > 0 else dice


@compiled
def score(table: Tables, problem: Problem, genes: Floats) -> float:
    """Fitness of a crystal; higher is better."""
    return score_distances(problem, distances_of_genes(table, problem, genes))


@compiled
def score_all(table: Tables, problem: Problem, genes: Floats) -> Floats:
    """Fitness of many crystals, genes ``(b, g)``: shape ``(b,)``."""
    values = np.zeros(len(genes))
    for i in range(len(genes)):
        values[i] = score(table, problem, genes[i])
    return values


@compiled
def _vary(  # noqa: PLR0917 - compiled code takes arrays one by one
    genes: Floats, i: int, start: int, n_cyclic: int, rng: np.random.Generator, trial: Floats
) -> None:
    """Fill `trial` with a variation of crystal `i` on the way from crystal `start`."""
    size, n_genes = genes.shape
    b, c = int(rng.random() * size), int(rng.random() * size)
    factor = 0.3 + 0.6 * rng.random()
    forced = int(rng.random() * n_genes)
    for k in range(n_genes):
        trial[k] = genes[i, k]
        if k != forced and rng.random() >= CROSSOVER:
            continue
        step = genes[b, k] - genes[c, k]
        if k < n_cyclic:
            step -= np.round(step)
            trial[k] = (genes[start, k] + factor * step) % 1.0
        else:
            trial[k] = min(max(genes[start, k] + factor * step, 0.0), 1.0)


@compiled
def evolve(
    table: Tables, problem: Problem, size: int, generations: int, rng: np.random.Generator
) -> tuple[Floats, float]:
    """Search the best genes by differential evolution (doi:10.1023/A:1008202821328).

    Parameters
    ----------
    table
        `tables()`.
    problem
        What is to be reproduced.
    size, generations
        Crystals in the population, and how often each is varied.
    rng
        Source of randomness.

    Returns
    -------
    The best genes, all in [0, 1], and their fitness.
    """
    n_cyclic = len(problem.gene_orbit)
    n_genes = n_cyclic + (CELL_GENES if problem.free_cell else 0)
    genes, values = np.zeros((size, n_genes)), np.zeros(size)
    for i in range(size):
        for k in range(n_genes):
            genes[i, k] = rng.random()
        values[i] = score(table, problem, genes[i])
    best = int(np.argmax(values))
    trial = np.zeros(n_genes)
    for generation in range(generations if n_genes else 0):
        for i in range(size):
            follow = rng.random() < generation / generations
            _vary(genes, i, best if follow else int(rng.random() * size), n_cyclic, rng, trial)
            value = score(table, problem, trial)
            if value >= values[i]:
                genes[i], values[i] = trial, value
                best = i if value > values[best] else best
        if values[best] > (PERFECT if problem.contacts else -CLOSE):
            break
    return genes[best].copy(), values[best]
