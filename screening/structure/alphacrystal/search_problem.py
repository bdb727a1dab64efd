"""What crystals are searched for: genes on Wyckoff positions, and the map that they shall have.

The genes of a crystal are the true free parameters of its orbits and, where it is not given, of its
cell: coordinates that symmetry ties together stay together, special positions have no genes. One
problem holds many *assignments* of atoms to Wyckoff positions, of one or of several space groups,
so that all are searched together.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from screening.crystal.crystals import Crystal
from screening.crystal.distances import covalent_radii
from screening.crystal.space_groups import space_group
from screening.crystal.systems import FAMILIES
from screening.elements import column
from screening.structure.alphacrystal.assignment import (
    Assignment,
    Floats,
    Integers,
    MapTarget,
    Problem,
)
from screening.structure.alphacrystal.geometry import CELL_GENES, cell_of_genes
from screening.structure.alphacrystal.labels import kinds_of

if TYPE_CHECKING:
    from collections.abc import Sequence


TIE = 0.05
"""Fitness of contacts that an Angstrom of difference from the expected distances costs."""


def make_problem(
    target: MapTarget,
    assignments: Sequence[Assignment],
    *,
    volume_per_atom: float = 0.0,
    exchange: bool = True,
) -> Problem:
    """State the search.

    Parameters
    ----------
    target
        The map.
    assignments
        Atoms on Wyckoff positions; all with a cell, or all without.
    volume_per_atom
        Expected volume (Angstrom^3/atom), where the cell is searched.
    exchange
        See `Problem`.
    """
    kinds = kinds_of(target.numbers)
    rows = [_orbits(target.numbers, kinds, item) for item in assignments]
    genes = [_position_genes(item.number, row) for item, row in zip(assignments, rows, strict=True)]
    groups = [space_group(item.number) for item in assignments]
    radii = covalent_radii()[target.numbers]
    metals = column("is_metal")[target.numbers] == 1
    values = np.asarray(target.matrix, dtype=np.float64)
    volumes = [volume_per_atom * len(kinds) * group.n_centring for group in groups]
    cells = [np.zeros(6) if item.cell is None else item.cell for item in assignments]
    expected = np.zeros_like(values) if target.expected is None else target.expected
    return Problem(
        groups=np.array([item.number - 1 for item in assignments]),
        systems=np.array([FAMILIES.index(group.crystal_system) for group in groups]),
        letters=_padded(rows),
        n_orbits=np.array([len(row) for row in rows]),
        gene_orbit=_padded([gene[:, 0] for gene in genes]),
        gene_axis=_padded([gene[:, 1] for gene in genes]),
        n_genes=np.array([len(gene) for gene in genes]),
        cells=np.array(cells, dtype=np.float64).reshape(-1, 6),
        free_cell=any(item.cell is None for item in assignments),
        volumes=np.array(volumes, dtype=np.float64),
        target=np.ascontiguousarray((values >= 0.5).astype(np.float64))
        if target.contacts
        else np.ascontiguousarray(values),
        expected=np.ascontiguousarray(expected, dtype=np.float64),
        tie=0.0 if target.expected is None else TIE,
        kinds=kinds,
        sums=radii[:, None] + radii[None],
        bonding=~(metals[:, None] & metals[None]),
        contacts=target.contacts,
        exchange=exchange,
    )


def gene_count(problem: Problem) -> int:
    """Genes of one crystal; assignments with fewer do not use the last ones."""
    return (CELL_GENES if problem.free_cell else 0) + int(problem.n_genes.max(initial=0))


def crystal_of_genes(problem: Problem, index: int, genes: Floats, numbers: Integers) -> Crystal:
    """Describe the crystal that genes of an assignment stand for.

    Parameters
    ----------
    problem
        The search.
    index
        Which assignment.
    genes
        In [0, 1], shape ``(g,)``.
    numbers
        Atomic numbers of the target, shape ``(n,)``.
    """
    group = space_group(int(problem.groups[index]) + 1)
    letters = problem.letters[index, : problem.n_orbits[index]]
    own = slice(0, problem.n_genes[index])
    parameters = np.zeros((len(letters), 3))
    first_gene = CELL_GENES if problem.free_cell else 0
    places = problem.gene_orbit[index, own], problem.gene_axis[index, own]
    parameters[places] = genes[first_gene:][own]
    sizes = [group.positions[i].multiplicity // group.n_centring for i in letters.tolist()]
    return Crystal(
        number=group.number,
        cell=cell_of_genes(problem, index, genes),
        letters=letters,
        species=numbers[np.cumsum([0, *sizes[:-1]])],
        parameters=parameters,
    )


def _orbits(numbers: Integers, kinds: Integers, assignment: Assignment) -> Integers:
    """Letters of the orbits in order of their kinds."""
    kind_of = dict(zip(numbers.tolist(), kinds.tolist(), strict=True))
    ordered = sorted(assignment.occupation, key=lambda item: (kind_of[item[1]], item[0]))
    return np.array([letter for letter, _ in ordered], dtype=np.int64)


def _position_genes(number: int, letters: Integers) -> Integers:
    """Orbit and axis of each free coordinate, shape ``(g, 2)``."""
    positions = space_group(number).positions
    found = [
        (orbit, axis)
        for orbit, letter in enumerate(letters.tolist())
        for axis in np.flatnonzero(positions[letter].free).tolist()
    ]
    return np.array(found, dtype=np.int64).reshape(-1, 2)


def _padded(rows: list[Integers]) -> Integers:
    """Lay rows of unequal length under each other, zeros behind them."""
    result = np.zeros((len(rows), max(map(len, rows), default=0)), dtype=np.int64)
    for place, row in zip(result, rows, strict=True):
        place[: len(row)] = row
    return result
