"""Crystals from contact maps and distance matrices, on Wyckoff positions."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from screening.structure.maps.problem import (
    Assignment,
    MapTarget,
    crystal_of_genes,
    make_problem,
)
from screening.structure.maps.search import Search, find
from screening.structure.wyckoff_sampling import sample_occupation

if TYPE_CHECKING:
    from collections.abc import Sequence

    from screening.structure.crystals import Crystal

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Reconstruction:
    """A crystal and its fitness (`screening.structure.maps.fitness`)."""

    crystal: Crystal
    score: float


def draw_assignments(
    target: MapTarget,
    number: int,
    n: int,
    rng: np.random.Generator,
    *,
    cell: Floats | None = None,
) -> list[Assignment]:
    """Draw choices of Wyckoff positions for the atoms of a map; none if they do not fit.

    Parameters
    ----------
    target
        The map.
    number
        Space group.
    n
        How many are drawn; equal ones count once.
    rng
        Source of randomness.
    cell
        Conventional cell (Angstrom, degrees), shape ``(6,)``; None to search it.
    """
    counts = Counter(target.numbers.tolist())
    drawn = (sample_occupation(number, counts, rng) for _ in range(n))
    chosen = dict.fromkeys(tuple(found) for found in drawn if found)
    return [Assignment(number, occupation, cell) for occupation in chosen]


def reconstruct(
    target: MapTarget,
    numbers: Sequence[int],
    rng: np.random.Generator,
    *,
    search: Search | None = None,
    cell: Floats | None = None,
    volume_per_atom: float = 0.0,
) -> list[Reconstruction]:
    """Search crystals of some space groups that have a map, on several choices of positions.

    Parameters
    ----------
    target
        The map.
    numbers
        Space groups.
    rng
        Source of randomness.
    search
        How.
    cell, volume_per_atom
        Conventional cell (Angstrom, degrees) of a single space group, or the expected volume
        (Angstrom^3/atom) at which the cell is searched.

    Returns
    -------
    The best crystal of each choice, best first; empty if the atoms do not fit.
    """
    search = search or Search()
    assignments = [
        assignment
        for number in numbers
        for assignment in draw_assignments(target, number, search.assignments, rng, cell=cell)
    ]
    if not assignments:
        return []
    problem = make_problem(target, assignments, volume_per_atom=volume_per_atom)
    found = find(problem, search, rng)
    results = [
        Reconstruction(crystal_of_genes(problem, i, found.genes[i], target.numbers), float(value))
        for i, value in enumerate(found.values)
    ]
    return sorted(results, key=lambda item: -item.score)
