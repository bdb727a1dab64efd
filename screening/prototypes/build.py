"""From crystals to the arrays of a bank: describe, group into prototypes, pack."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from screening.crystal.crystals import (
    COORDINATE_STEPS,
    Cell,
    Crystal,
    standardise,
    transformed,
)
from screening.crystal.isopointal import (
    Label,
    Shape,
    Tolerance,
    alignments,
    canonical_label,
    ordered,
)
from screening.elements import MAX_Z
from screening.progress import report

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from numpy.typing import NDArray
    from pymatgen.core import Structure

STAGE = "prototypes"
MAX_COUNT = 255
"""Most atoms of one class in a primitive cell (uint8)."""


@dataclass
class Prototype:
    """A geometry under construction, with what decorates it.

    Attributes
    ----------
    crystal
        The geometry, with classes as species (`ordered`), in its canonical setting.
    swaps
        Permutations of classes that leave it as it is, without the identity.
    decorations
        Elements by class and atoms in the cell -> volume, energy above the hull, atoms in the cell.
    """

    crystal: Crystal
    swaps: list[tuple[int, ...]]
    decorations: dict[tuple[int, ...], tuple[float, float, int]] = field(default_factory=dict)

    @cached_property
    def shape(self) -> Shape:
        """The geometry, prepared for comparison."""
        return Shape.of(self.crystal, canonical_label(self.crystal)[1])

    def equivalent(self, species: tuple[int, ...]) -> tuple[int, ...]:
        """Choose the first of the equal arrangements of elements."""
        return min([species, *(tuple(species[i] for i in swap) for swap in self.swaps)])

    def add(self, species: tuple[int, ...], volume: float, hull: float, n_atoms: int) -> None:
        """Keep one decoration; of equal ones that with the lowest energy above the hull."""
        key = (*self.equivalent(species), n_atoms)
        known = self.decorations.get(key)
        if known is None or np.nan_to_num(hull, nan=np.inf) < np.nan_to_num(known[1], nan=np.inf):
            self.decorations[key] = (volume, hull, n_atoms)


def cells_of_table(table: pd.DataFrame) -> tuple[list[Cell | str], NDArray[np.float64]]:
    """Unpack lattices, coordinates, atomic numbers and energies above the hull."""
    cells: list[Cell | str] = [
        (np.asarray(lattice).reshape(3, 3), np.asarray(points).reshape(-1, 3), np.asarray(numbers))
        for lattice, points, numbers in zip(
            table["lattice"], table["frac_coords"], table["atomic_numbers"], strict=True
        )
    ]
    if "e_above_hull" in table.columns:
        return cells, table["e_above_hull"].to_numpy(dtype=np.float64)
    return cells, np.full(len(cells), np.nan)


def cell_of_structure(structure: Structure) -> Cell | str:
    """Unpack a pymatgen structure, or say why it cannot be used."""
    if not structure.is_ordered:
        return "the structure is disordered"
    numbers = np.array([getattr(site.specie, "Z", 0) for site in structure])
    if not len(numbers) or numbers.min() < 1 or numbers.max() > MAX_Z:
        return "the structure has no atoms, or atoms that are not H to Lr"
    return np.array(structure.lattice.matrix), np.array(structure.frac_coords), numbers


def _group(
    cells: Sequence[Cell | str],
) -> tuple[dict[Label, list[tuple[int, Crystal, list[int]]]], list[tuple[int, str]]]:
    """Describe the crystals and collect those with equal labels."""
    groups: dict[Label, list[tuple[int, Crystal, list[int]]]] = defaultdict(list)
    failures = []
    for index, cell in enumerate(cells):
        crystal = cell if isinstance(cell, str) else standardise(cell)
        if isinstance(crystal, str):
            failures.append((index, crystal))
        elif crystal.n_atoms > MAX_COUNT:
            failures.append((index, f"{crystal.n_atoms} atoms, more than {MAX_COUNT}"))
        else:
            label, operations = canonical_label(crystal)
            groups[label].append((index, crystal, operations))
        if index % 500 == 0:
            report(STAGE, index, len(cells), "symmetry")
    return groups, failures


def found_prototype(
    crystal: Crystal, operation: int, tolerance: Tolerance
) -> tuple[Prototype, tuple[int, ...]]:
    """Make a prototype of a crystal, in the given setting; also return its species by class."""
    anonymous, species = ordered(transformed(crystal, operation).scaled(1.0))
    prototype = Prototype(anonymous, [])
    swaps = set(alignments(prototype.shape, prototype.shape, tolerance))
    prototype.swaps = sorted(swaps - {tuple(range(len(species)))})
    return prototype, species


def closest(
    prototypes: Sequence[Prototype], shape: Shape, tolerance: Tolerance
) -> tuple[int, tuple[int, ...]] | None:
    """Find the prototype that a crystal with their label fits best, and its species by class."""
    fits = [
        (deviation, place, species)
        for place, prototype in enumerate(prototypes)
        for species, deviation in alignments(prototype.shape, shape, tolerance).items()
    ]
    return min(fits)[1:] if fits else None


def _prototypes_of(
    members: list[tuple[int, Crystal, list[int]]],
    cells: Sequence[Cell | str],
    hulls: NDArray[np.float64],
    tolerance: Tolerance,
) -> list[Prototype]:
    """Group crystals with one label by geometry: each joins the closest prototype, or founds one.

    The founder's geometry stays; the most stable crystals come first, so that they are founders.
    """
    found: list[Prototype] = []
    energies = np.nan_to_num(hulls, nan=np.inf)
    for index, crystal, operations in sorted(members, key=lambda m: (energies[m[0]], m[0])):
        fit = closest(found, Shape.of(crystal, operations), tolerance)
        if fit:
            prototype, species = found[fit[0]], fit[1]
        else:
            prototype, species = found_prototype(crystal, operations[0], tolerance)
            found.append(prototype)
        n_atoms = len(cells[index][2])
        prototype.add(species, crystal.volume_per_atom, float(hulls[index]), n_atoms)
    return found


def build_arrays(
    cells: Sequence[Cell | str], hulls: NDArray[np.float64], tolerance: Tolerance | None
) -> tuple[dict[str, Any], list[tuple[int, str]]]:
    """Build the arrays of a bank.

    Parameters
    ----------
    cells
        Cells, or the reason why there is none.
    hulls
        Energies above the hull (eV/atom), NaN where unknown, shape ``(n,)``.
    tolerance
        How close the crystals of one prototype are.

    Returns
    -------
    Arrays by name (see `Bank`), and ``(index, reason)`` of the cells that failed.
    """
    groups, failures = _group(cells)
    prototypes: list[Prototype] = []
    variants: list[int] = []
    for done, label in enumerate(sorted(groups)):
        if done % 200 == 0:
            report(STAGE, done, len(groups), "grouping")
        found = _prototypes_of(groups[label], cells, hulls, tolerance or Tolerance())
        prototypes += found
        variants += range(1, len(found) + 1)
    return pack(prototypes, variants), failures


def _padded(rows: list[tuple[int, ...]], width: int) -> NDArray[np.uint8]:
    array = np.zeros((len(rows), width), dtype=np.uint8)
    for row, values in zip(array, rows, strict=True):
        row[: len(values)] = values
    return array


def _class_counts(crystal: Crystal) -> tuple[int, ...]:
    counts = np.bincount(crystal.species, weights=crystal.multiplicities)
    return tuple(int(count) for count in counts)


def pack(prototypes: Sequence[Prototype], variants: Sequence[int]) -> dict[str, NDArray[Any]]:
    """Make the arrays of a bank (see `Bank`) of prototypes and their numbers among equal labels."""
    crystals = [prototype.crystal for prototype in prototypes]
    counts = [_class_counts(crystal) for crystal in crystals]
    width = max((len(row) for row in counts), default=1)
    rows = [
        (place, key[:-1], *values)
        for place, prototype in enumerate(prototypes)
        for key, values in sorted(prototype.decorations.items())
    ]
    swaps = [(place, swap) for place, p in enumerate(prototypes) for swap in p.swaps]
    orbits = [len(crystal.letters) for crystal in crystals]
    parameters = np.concatenate([np.zeros((0, 3)), *(crystal.parameters for crystal in crystals)])
    steps = np.round(parameters * COORDINATE_STEPS) % COORDINATE_STEPS
    empty = np.zeros(0, dtype=np.int64)
    return {
        "groups": np.array([crystal.number for crystal in crystals], dtype=np.uint8),
        "cells": np.array([c.cell for c in crystals], dtype=np.float32).reshape(-1, 6),
        "class_counts": _padded(counts, width),
        "variants": np.array(variants, dtype=np.uint16),
        "orbit_start": np.concatenate([[0], np.cumsum(orbits)]).astype(np.int32),
        "letters": np.concatenate([empty, *(c.letters for c in crystals)]).astype(np.uint8),
        "classes": np.concatenate([empty, *(c.species for c in crystals)]).astype(np.uint8),
        "coordinates": steps.astype(np.uint16),
        "swap_prototypes": np.array([place for place, _ in swaps], dtype=np.int32),
        "swaps": _padded([swap for _, swap in swaps], width),
        "prototypes": np.array([row[0] for row in rows], dtype=np.int32),
        "elements": _padded([row[1] for row in rows], width),
        "volumes": np.array([row[2] for row in rows], dtype=np.float32),
        "hulls": np.array([row[3] for row in rows], dtype=np.float32),
        "n_atoms": np.array([row[4] for row in rows], dtype=np.uint16),
    }
