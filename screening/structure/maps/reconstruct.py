"""Crystals from contact maps and distance matrices, on Wyckoff positions."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from screening.elements import column
from screening.structure.crystals import Crystal
from screening.structure.distances import covalent_radii
from screening.structure.maps.fitness import (
    Problem,
    cell_of_genes,
    evolve,
)
from screening.structure.maps.targets import kinds_of
from screening.structure.spacegroups import space_group
from screening.structure.wyckoff_sampling import SYSTEMS, Occupation, sample_occupation, tables

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True)
class MapTarget:
    """A map that a crystal shall have.

    Attributes
    ----------
    numbers
        Atomic numbers of the primitive cell in the order of `atom_order`, shape ``(n,)``.
    matrix
        Distances (Angstrom), or contacts (probabilities or booleans), shape ``(n, n)``.
    contacts
        Whether it is a contact map.
    """

    numbers: Integers
    matrix: Floats
    contacts: bool


@dataclass(frozen=True)
class Search:
    """How long crystals are searched for.

    Attributes
    ----------
    occupations
        Choices of Wyckoff positions that are drawn for each space group; equal ones count once.
    size, generations
        Of the population of each choice.
    """

    occupations: int = 12
    size: int = 32
    generations: int = 60


@dataclass(frozen=True)
class Reconstruction:
    """A crystal and its fitness (`screening.structure.maps.fitness`)."""

    crystal: Crystal
    score: float


def make_problem(
    target: MapTarget,
    number: int,
    occupation: Occupation,
    *,
    cell: Floats | None = None,
    volume_per_atom: float = 0.0,
) -> Problem:
    """State the search in one choice of Wyckoff positions.

    Parameters
    ----------
    target
        The map.
    number
        Space group.
    occupation
        Letter and atomic number of each orbit.
    cell
        Conventional cell (Angstrom, degrees), shape ``(6,)``; None to search it.
    volume_per_atom
        Expected volume (Angstrom^3/atom), where the cell is searched.
    """
    group = space_group(number)
    kinds = kinds_of(target.numbers)
    kind_of = dict(zip(target.numbers.tolist(), kinds.tolist(), strict=True))
    ordered = sorted(occupation, key=lambda item: (kind_of[item[1]], item[0]))
    letters = np.array([letter for letter, _ in ordered], dtype=np.int64)
    genes = [
        (orbit, axis)
        for orbit, letter in enumerate(letters.tolist())
        for axis in np.flatnonzero(group.positions[letter].free).tolist()
    ]
    flat = np.array(genes, dtype=np.int64).reshape(-1, 2)
    radii = covalent_radii()[target.numbers]
    metals = column("is_metal")[target.numbers] == 1
    values = np.asarray(target.matrix, dtype=np.float64)
    return Problem(
        group=number - 1,
        system=SYSTEMS.index(group.crystal_system),
        letters=letters,
        gene_orbit=np.ascontiguousarray(flat[:, 0]),
        gene_axis=np.ascontiguousarray(flat[:, 1]),
        cell=np.zeros(6) if cell is None else np.asarray(cell, dtype=np.float64),
        free_cell=cell is None,
        volume=float(volume_per_atom * len(kinds) * group.n_centring),
        target=np.ascontiguousarray((values >= 0.5).astype(np.float64))
        if target.contacts
        else np.ascontiguousarray(values),
        kinds=kinds,
        sums=radii[:, None] + radii[None],
        bonding=~(metals[:, None] & metals[None]),
        contacts=target.contacts,
    )


def crystal_of_genes(problem: Problem, genes: Floats, numbers: Integers) -> Crystal:
    """Describe the crystal that genes stand for."""
    group = space_group(problem.group + 1)
    parameters = np.zeros((len(problem.letters), 3))
    parameters[problem.gene_orbit, problem.gene_axis] = genes[: len(problem.gene_orbit)]
    sizes = [group.positions[i].multiplicity // group.n_centring for i in problem.letters.tolist()]
    first = np.cumsum([0, *sizes[:-1]])
    return Crystal(
        number=problem.group + 1,
        cell=cell_of_genes(problem, genes),
        letters=problem.letters,
        species=numbers[first],
        parameters=parameters,
    )


def reconstruct(
    target: MapTarget,
    number: int,
    rng: np.random.Generator,
    *,
    search: Search | None = None,
    cell: Floats | None = None,
    volume_per_atom: float = 0.0,
) -> list[Reconstruction]:
    """Search crystals of a space group that have a map, on several choices of Wyckoff positions.

    Parameters
    ----------
    target
        The map.
    number
        Space group.
    rng
        Source of randomness.
    search
        How long.
    cell, volume_per_atom
        As in `make_problem`; without both, the volume is that of `cell`.

    Returns
    -------
    The best crystal of each choice, best first; empty if the atoms do not fit the group.
    """
    search = search or Search()
    counts = Counter(target.numbers.tolist())
    drawn = (sample_occupation(number, counts, rng) for _ in range(search.occupations))
    chosen = list(dict.fromkeys(tuple(found) for found in drawn if found))
    results = []
    for occupation in chosen:
        problem = make_problem(
            target, number, list(occupation), cell=cell, volume_per_atom=volume_per_atom
        )
        genes, value = evolve(tables(), problem, search.size, search.generations, rng)
        crystal = crystal_of_genes(problem, genes, target.numbers)
        results.append(Reconstruction(crystal, float(value)))
    results.sort(key=lambda item: -item.score)
    return results
