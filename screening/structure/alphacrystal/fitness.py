"""How well a crystal reproduces a map, in compiled code.

The fitness of a contact map is AlphaCrystal's: the Dice coefficient times the share of bonds that
are not too short. Many crystals have the same contacts, so the difference from expected distances,
if there are any, decides among them. That of distances is AlphaCrystal-II's, minus the root mean
square error. Equal atoms are exchanged to fit, unless that is switched off.

Searches by slopes need something smoother: squares of residuals, which are 0 where the map is
right.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from screening.compiled import compiled
from screening.metrics.contacts import CONTACT_TOLERANCE
from screening.structure.alphacrystal.alignment import arrange
from screening.structure.alphacrystal.geometry import (
    CELL_GENES,
    distances_of_genes,
    lattice_of_genes,
    nearest_images,
    points_of_genes,
    shorten,
)

if TYPE_CHECKING:
    from screening.crystal.wyckoff_occupations import Integers, Tables
    from screening.structure.alphacrystal.assignment import Problem

Floats = NDArray[np.float64]

PERFECT, CLOSE = 0.9999, 1e-3
"""Fitness of contacts, and error of distances (Angstrom), at which a search ends."""
_MARGIN = 0.1
"""Contacts are wanted so much (Angstrom) inside the limits, unless distances are expected."""
_STEP = 1e-5
_SHORT = 0.5
_TINY = 1e-6


@compiled
def contacts_of(problem: Problem, distances: Floats) -> Floats:
    """Which pairs are in contact, as 0 and 1, shape ``(n, n)``."""
    n = len(problem.kinds)
    found = np.zeros((n, n))
    for i in range(n):
        for j in range(n):
            if i != j and problem.bonding[i, j]:
                found[i, j] = abs(distances[i, j] - problem.sums[i, j]) <= CONTACT_TOLERANCE
    return found


@compiled
def exchanged(problem: Problem, distances: Floats, found: Floats) -> Integers:
    """Give the order of the atoms that fits the map best, shape ``(n,)``."""
    if not problem.exchange:
        return np.arange(len(problem.kinds))
    if not problem.contacts:
        return arrange((problem.target, distances, distances, distances, 0.0), problem.kinds)
    pairs = (problem.target, found, problem.expected, distances, problem.tie)
    return arrange(pairs, problem.kinds)


@compiled
def error_of(wanted: Floats, distances: Floats, order: Integers) -> float:
    """Root mean square difference of all pairs (Angstrom)."""
    n, total = len(order), 0.0
    for i in range(n):
        for j in range(i):
            total += (wanted[i, j] - distances[order[i], order[j]]) ** 2
    return np.sqrt(total / max(n * (n - 1) / 2, 1))  # type: ignore[no-any-return]


@compiled
def score_distances(problem: Problem, distances: Floats) -> float:
    """Fitness of the distances of a crystal; higher is better."""
    n = len(problem.kinds)
    if not problem.contacts:
        order = exchanged(problem, distances, distances)
        short = 0
        for i in range(n):
            for j in range(i):
                short += distances[i, j] < problem.sums[i, j] * _SHORT
        return -error_of(problem.target, distances, order) - short
    found = contacts_of(problem, distances)
    order = exchanged(problem, distances, found)
    both, valid, wanted, short = 0.0, 0.0, 0.0, 0
    for i in range(n):
        for j in range(i):
            both += problem.target[i, j] * found[order[i], order[j]]
            valid += found[i, j]
            wanted += problem.target[i, j]
            short += distances[i, j] < problem.sums[i, j] - CONTACT_TOLERANCE
    dice = 2 * both / (valid + wanted) if valid + wanted > 0 else 1.0
    value = dice * (valid / (valid + short)) if valid + short > 0 else dice
    if problem.tie > 0:
        value -= problem.tie * error_of(problem.expected, distances, order)
    return value


@compiled
def score(table: Tables, problem: Problem, index: int, genes: Floats) -> float:
    """Fitness of a crystal of an assignment; higher is better."""
    return score_distances(problem, distances_of_genes(table, problem, index, genes))


@compiled
def score_all(table: Tables, problem: Problem, rows: Integers, genes: Floats) -> Floats:
    """Fitness of populations of some assignments.

    Parameters
    ----------
    table
        `tables()`.
    problem
        The search.
    rows
        Assignments, shape ``(r,)``.
    genes
        In [0, 1], shape ``(r, p, g)``.

    Returns
    -------
    Shape ``(r, p)``; higher is better.
    """
    values = np.zeros(genes.shape[:2])
    for r in range(len(rows)):
        for p in range(genes.shape[1]):
            values[r, p] = score(table, problem, rows[r], genes[r, p])
    return values


@compiled
def _pair_residual(problem: Problem, i: int, j: int, distance: float) -> tuple[float, float]:
    """Residual of a pair of places, and the residual of the expected distance."""
    if not problem.contacts:
        return distance - problem.target[i, j], 0.0
    step = distance - problem.sums[i, j]
    margin = 0.0 if problem.tie > 0 else _MARGIN
    inner, outer = CONTACT_TOLERANCE - margin, CONTACT_TOLERANCE + margin
    weak = np.sqrt(problem.tie) * (distance - problem.expected[i, j])
    if problem.target[i, j] > 0:
        return (step - inner if step > inner else min(step + inner, 0.0)), weak
    if problem.bonding[i, j]:
        return min(step - outer, 0.0), weak
    return min(step + inner, 0.0), weak


@compiled
def _motions(
    table: Tables, problem: Problem, index: int, genes: Floats, lattice: Floats
) -> tuple[Floats, Floats]:
    """How atoms, ``(g, n, 3)``, and the lattice, ``(g, 3, 3)``, move with each gene (Angstrom)."""
    n_cell = CELL_GENES if problem.free_cell else 0
    size = len(genes)
    atoms, cells = np.zeros((size, len(problem.kinds), 3)), np.zeros((size, 3, 3))
    for gene in range(n_cell):
        moved = genes.copy()
        moved[gene] += _STEP
        cells[gene] = (lattice_of_genes(table, problem, index, moved) - lattice) / _STEP
    n = 0
    for orbit in range(problem.n_orbits[index]):
        position = table.first_position[problem.groups[index]] + problem.letters[index, orbit]
        start = table.first_operation[position]
        for operation in range(start, start + table.multiplicities[position]):
            for gene in range(problem.n_genes[index]):
                if problem.gene_orbit[index, gene] == orbit:
                    axis = problem.gene_axis[index, gene]
                    for x in range(3):
                        for k in range(3):
                            atoms[n_cell + gene, n, x] += (
                                table.matrices[operation, k, axis] * lattice[k, x]
                            )
            n += 1
    return atoms, cells


@compiled
def slopes(  # noqa: PLR0917 - compiled code takes arrays one by one
    table: Tables, problem: Problem, index: int, genes: Floats, matrix: Floats, vector: Floats
) -> float:
    """Sum of squared residuals of a crystal, with what Gauss and Newton need.

    Parameters
    ----------
    table, problem, index, genes
        As in `score`.
    matrix, vector
        Filled with the product of the Jacobian with itself, ``(g, g)``, and with the residuals,
        ``(g,)``.
    """
    lattice = lattice_of_genes(table, problem, index, genes)
    atoms, cells = _motions(table, problem, index, genes, lattice)
    short = lattice.copy()
    points = points_of_genes(table, problem, index, genes)
    shorten(short, points)
    vectors, distances = nearest_images(short, points)
    found = contacts_of(problem, distances) if problem.contacts else distances
    order = exchanged(problem, distances, found)
    n_cell = CELL_GENES if problem.free_cell else 0
    inverse = np.linalg.inv(lattice)
    row = np.zeros(len(genes))
    matrix[:] = 0.0
    vector[:] = 0.0
    total = 0.0
    for a in range(len(order)):
        for b in range(a):
            i, j = max(order[a], order[b]), min(order[a], order[b])
            strong, weak = _pair_residual(problem, a, b, distances[i, j])
            total += strong * strong + weak * weak
            weight = (1.0 if strong != 0 else 0.0) + (problem.tie if problem.contacts else 0.0)
            pull = strong + (np.sqrt(problem.tie) * weak if problem.contacts else 0.0)
            if weight == 0 or distances[i, j] < _TINY:
                continue
            direction = vectors[i, j] / distances[i, j]
            for gene in range(len(genes)):
                row[gene] = (direction * (atoms[gene, i] - atoms[gene, j])).sum()
            for gene in range(n_cell):
                row[gene] = (direction * ((vectors[i, j] @ inverse) @ cells[gene])).sum()
            _add_outer(matrix, vector, row, weight, pull)
    return total


@compiled
def _add_outer(matrix: Floats, vector: Floats, row: Floats, weight: float, pull: float) -> None:
    """Add one residual with its derivatives."""
    for g in range(len(row)):
        vector[g] += pull * row[g]
        for h in range(len(row)):
            matrix[g, h] += weight * row[g] * row[h]


@compiled
def slopes_all(
    table: Tables, problem: Problem, rows: Integers, genes: Floats
) -> tuple[Floats, Floats, Floats]:
    """Give `slopes` of populations: ``(r, p)``, ``(r, p, g, g)`` and ``(r, p, g)``."""
    r, p, g = genes.shape
    totals, matrices, vectors = np.zeros((r, p)), np.zeros((r, p, g, g)), np.zeros((r, p, g))
    for i in range(r):
        for k in range(p):
            totals[i, k] = slopes(
                table, problem, rows[i], genes[i, k], matrices[i, k], vectors[i, k]
            )
    return totals, matrices, vectors
