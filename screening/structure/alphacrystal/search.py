"""The search of crystals that have a map: all assignments at once, by a named algorithm."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from screening.crystal.wyckoff_occupations import tables
from screening.errors import InputError
from screening.structure.alphacrystal.algorithms import ALGORITHMS, Space
from screening.structure.alphacrystal.fitness import CLOSE, PERFECT, score_all, slopes_all
from screening.structure.alphacrystal.geometry import CELL_GENES
from screening.structure.alphacrystal.search_problem import gene_count

if TYPE_CHECKING:
    from screening.structure.alphacrystal.assignment import Problem

Floats = NDArray[np.float64]
AlgorithmName = Literal["ga", "de", "cma-es", "gradient"]


@dataclass(frozen=True)
class Search:
    """How crystals are searched for.

    Attributes
    ----------
    algorithm
        One of `ALGORITHMS`.
    evaluations
        Of the fitness, most for each assignment.
    size
        Crystals in the population of each assignment.
    assignments
        Most choices of Wyckoff positions for each space group.
    halving
        Whether the worse half of the assignments is given up after 1/8, 1/4 and 1/2 of the
        evaluations (Jamieson & Talwalkar 2016, arXiv:1502.07943).
    first
        Whether the search ends as soon as one crystal has the map; else each assignment is
        searched for its best one.
    """

    algorithm: AlgorithmName = "gradient"
    evaluations: int = 800
    size: int = 16
    assignments: int = 24
    halving: bool = True
    first: bool = False


PAPER = Search(algorithm="ga", evaluations=100_000, size=100, halving=False)
"""AlphaCrystal's settings: a population of 100, 1000 generations."""
_RUNGS = (8, 4, 2)
_LEAST_ROWS = 4


@dataclass(frozen=True)
class Found:
    """The best crystal of each assignment.

    Attributes
    ----------
    genes
        In [0, 1], shape ``(a, g)``.
    values
        Fitness, shape ``(a,)``.
    evaluations
        How often the fitness was computed in all.
    """

    genes: Floats
    values: Floats
    evaluations: int


def find(problem: Problem, search: Search, rng: np.random.Generator) -> Found:
    """Search the best genes of each assignment.

    An assignment whose map is reached, or that has no genes, is not searched further.

    Parameters
    ----------
    problem
        Assignments and the map.
    search
        How.
    rng
        Source of randomness.

    Raises
    ------
    InputError
        If there is no such algorithm, or fewer than four crystals in the population.
    """
    if search.algorithm not in ALGORITHMS:
        raise InputError(f"unknown algorithm {search.algorithm!r}: use one of {sorted(ALGORITHMS)}")
    if search.size < 4:
        raise InputError(f"size={search.size}: a population has at least 4 crystals")
    table, n_genes = tables(), gene_count(problem)
    genes = np.zeros((len(problem.groups), n_genes))
    values = score_all(table, problem, np.arange(len(genes)), genes[:, None])[:, 0]
    rows = np.arange(len(genes))
    used = len(rows)
    if not problem.free_cell:
        rows = rows[problem.n_genes > 0]
    if not len(rows):
        return Found(genes, values, used)
    make = ALGORITHMS[search.algorithm]
    generations = max(1, search.evaluations // (search.size * make.cost))
    n_cell = CELL_GENES if problem.free_cell else 0
    algorithm = make(Space(len(rows), search.size, n_genes, n_cell, generations), rng)
    goal = (PERFECT if problem.tie == 0 else 1.0) if problem.contacts else -CLOSE
    rungs = {generations // rung for rung in _RUNGS} if search.halving else set()
    for generation in range(generations):
        if not len(rows) or (search.first and (values >= goal).any()):
            break
        proposed = algorithm.propose()
        reached = score_all(table, problem, rows, proposed)
        used += reached.size * make.cost
        best = reached.argmax(axis=1)
        top = reached[np.arange(len(rows)), best]
        better = top > values[rows]
        genes[rows[better]] = proposed[better, best[better]]
        values[rows[better]] = top[better]
        algorithm.learn(proposed, reached, partial(slopes_all, table, problem, rows))
        going = values[rows] < goal
        if generation + 1 in rungs and len(rows) > _LEAST_ROWS:
            going &= values[rows] >= np.median(values[rows])
        if not going.all():
            algorithm.keep(going)
            rows = rows[going]
    return Found(genes, values, used)
