"""Crystals from contact maps and distance matrices, on Wyckoff positions."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from screening.crystal.crystals import lattice_matrix
from screening.crystal.space_groups import space_group
from screening.crystal.wyckoff_occupations import sample_occupation
from screening.structure.alphacrystal.assignment import Assignment, MapTarget
from screening.structure.alphacrystal.labels import kinds_of
from screening.structure.alphacrystal.orbits import OrbitFit
from screening.structure.alphacrystal.search import Search, find
from screening.structure.alphacrystal.search_problem import crystal_of_genes, make_problem

if TYPE_CHECKING:
    from collections.abc import Sequence

    from screening.crystal.crystals import Crystal
    from screening.crystal.space_groups import SpaceGroup

Floats = NDArray[np.float64]

_DRAWS = 20
"""Draws for each choice that is wanted."""
_SAME_CELL = 1e-4
"""Difference of metric tensors, relative to the longest vector's square."""
Occupation = tuple[tuple[int, int], ...]
"""Letter as an index and atomic number of each orbit, sorted."""


@dataclass(frozen=True)
class Reconstruction:
    """A crystal and its fitness (`screening.structure.alphacrystal.fitness`)."""

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

    A choice is taken with the likelihood that the map gives it (`OrbitFit`). Choices that another
    origin or other axes make the same count once.

    Parameters
    ----------
    target
        The map.
    number
        Space group.
    n
        Most choices.
    rng
        Source of randomness.
    cell
        Conventional cell (Angstrom, degrees), shape ``(6,)``; None to search it.
    """
    counts = Counter(target.numbers.tolist())
    fit = OrbitFit(target, kinds_of(target.numbers))
    group = space_group(number)
    sizes = [position.multiplicity // group.n_centring for position in group.positions]
    settings = _settings(group, cell)
    drawn: dict[Occupation, tuple[Occupation, float]] = {}
    chosen: dict[Occupation, None] = {}
    for draw in range(_DRAWS * n):
        if len(chosen) == n or (draw == n and not drawn):
            break
        found = sample_occupation(number, counts, rng)
        if not found:
            continue
        occupation = tuple(found)
        if occupation not in drawn:
            same = min(
                tuple(sorted((letters[letter], z) for letter, z in occupation))
                for letters in settings
            )
            likelihood = fit.likelihood([(sizes[letter], z) for letter, z in occupation])
            drawn[occupation] = drawn.get(same, (same, likelihood))
        same, likelihood = drawn[occupation]
        if rng.random() < likelihood:
            chosen[same] = None
    if not chosen:
        likeliest = sorted(drawn.values(), key=lambda item: -item[1])
        chosen = dict.fromkeys([occupation for occupation, _ in likeliest][:n])
    return [Assignment(number, occupation, cell) for occupation in chosen]


def _settings(group: SpaceGroup, cell: Floats | None) -> list[list[int]]:
    """Into which letters each letter goes in the settings of a group that keep a given cell."""
    rotations, _, letters = group.normaliser
    if cell is not None:
        lattice = lattice_matrix(cell)
        metric = lattice @ lattice.T
        moved = np.swapaxes(rotations, 1, 2) @ metric @ rotations
        letters = letters[np.abs(moved - metric).max(axis=(1, 2)) < _SAME_CELL * metric.max()]
    return [list(range(len(group.positions))), *letters.tolist()]


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
