"""Whether two crystals are the same: StructureMatcher's answer, at a fraction of its time.

StructureMatcher (Ong et al. 2013, doi:10.1016/j.commatsci.2012.10.028) reduces both crystals each
time it is asked and most often answers no. Here a crystal is reduced once, and compiled code looks
for what StructureMatcher needs before it compares distances: a basis of one lattice that is close
to the other's, and a translation that brings every atom near one of its kind. Only where both exist
is StructureMatcher asked, so that the answer is its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from screening.compiled import compiled
from screening.crystal.crystals import cell_parameters, structure_of
from screening.crystal.distances import images_needed
from screening.metrics.matching import TOLERANCES, matcher

if TYPE_CHECKING:
    from typing import Self

    from pymatgen.core import Structure

Floats = NDArray[np.float64]

REFUSED = 0.25
"""Fingerprint difference above which two crystals are not offered to StructureMatcher.

Measured: of 11,939 pairs of equal composition above it, StructureMatcher's defaults accept none.
"""

_SLACK = 1e-6
"""Tolerances are wider by so much here than in pymatgen: rounding must not refuse a pair."""
_TRANSLATION = 0.25
"""Tolerance (Angstrom) with which pymatgen looks for a smaller cell."""


@dataclass(frozen=True)
class Comparable:
    """A crystal as StructureMatcher compares it: Niggli-reduced, then primitive, atoms by number.

    Attributes
    ----------
    lattice
        Row vectors (Angstrom), shape ``(3, 3)``.
    points
        Fractional coordinates, shape ``(n, 3)``.
    numbers
        Atomic numbers, ascending, shape ``(n,)``.
    """

    lattice: Floats
    points: Floats
    numbers: NDArray[np.int64]

    @classmethod
    def of(cls, structure: Structure) -> Self:
        """Reduce an ordered structure."""
        import spglib

        numbers = np.array([site.specie.Z for site in structure])
        order = np.argsort(numbers, kind="stable")
        lattice = np.array(structure.lattice.matrix)
        found = spglib.niggli_reduce(lattice)
        reduced = lattice if found is None else np.asarray(found)
        points = np.array(structure.frac_coords) @ (lattice @ np.linalg.inv(reduced))
        made = cls(reduced, points[order], numbers[order])
        if _may_have_smaller_cell(made.lattice, made.points, made.numbers):
            smaller = structure_of((made.lattice, made.points, made.numbers))
            smaller = smaller.get_primitive_structure().get_sorted_structure(lambda s: s.specie.Z)
            numbers = np.array([site.specie.Z for site in smaller])
            made = cls(np.array(smaller.lattice.matrix), np.array(smaller.frac_coords), numbers)
        return made

    @cached_property
    def unit_lattice(self) -> Floats:
        """The lattice at 1 Angstrom^3/atom."""
        volume = abs(float(np.linalg.det(self.lattice))) / len(self.points)
        return np.ascontiguousarray(self.lattice / volume ** (1 / 3))

    @cached_property
    def unit_cell(self) -> Floats:
        """Lengths and angles (degrees) of `unit_lattice`, shape ``(6,)``."""
        return cell_parameters(self.unit_lattice)

    @cached_property
    def structure(self) -> Structure:
        """The crystal for StructureMatcher."""
        return structure_of((self.lattice, self.points, self.numbers))


def same_crystal(first: Comparable, second: Comparable, tolerance: str = "strict") -> bool:
    """Tell whether StructureMatcher accepts two crystals, cells made primitive and volumes equal.

    Parameters
    ----------
    first, second
        Crystals.
    tolerance
        Name in `screening.metrics.matching.TOLERANCES`.
    """
    if not np.array_equal(first.numbers, second.numbers):
        return False
    ltol, stol, angle = (value + _SLACK for value in TOLERANCES[tolerance])
    if not _may_match(
        first.unit_lattice,
        np.ascontiguousarray(first.points),
        np.ascontiguousarray(second.points),
        second.unit_cell,
        first.numbers,
        (ltol, stol, angle),
    ):
        return False
    fits = matcher(tolerance).fit(first.structure, second.structure, skip_structure_reduction=True)
    return bool(fits)


@compiled
def _lands(
    points: Floats, sites: Floats, numbers: NDArray[np.int64], shift: Floats, limits: Floats
) -> bool:
    """Tell whether each of `points`, shifted, lies within `limits` of a site of its kind."""
    n = len(numbers)
    for i in range(n):
        near = False
        for j in range(n):
            if numbers[j] != numbers[i]:
                continue
            near = True
            for axis in range(3):
                step = points[i, axis] + shift[axis] - sites[j, axis]
                if abs(step - np.round(step)) > limits[axis]:
                    near = False
                    break
            if near:
                break
        if not near:
            return False
    return True


@compiled
def _may_have_smaller_cell(lattice: Floats, points: Floats, numbers: NDArray[np.int64]) -> bool:
    """Tell whether some translation takes every atom near one of its kind."""
    n = len(numbers)
    rare, fewest, divisor = 0, n + 1, 0
    start = 0
    for i in range(1, n + 1):
        if i == n or numbers[i] != numbers[start]:
            if i - start < fewest:
                rare, fewest = start, i - start
            size, rest = i - start, divisor
            while rest:
                size, rest = rest, size % rest
            divisor = size
            start = i
    if divisor < 2:
        return False
    limits = np.empty(3)
    for axis in range(3):
        limits[axis] = 2 * _TRANSLATION / np.sqrt((lattice[axis] ** 2).sum()) + _SLACK
    for k in range(rare + 1, rare + fewest):
        if _lands(points, points, numbers, points[k] - points[rare], limits):
            return True
    return False


@compiled
def _degrees(first: Floats, second: Floats) -> float:
    """Angle between two vectors."""
    norm = np.sqrt((first * first).sum() * (second * second).sum())
    cosine = min(1.0, max(-1.0, (first * second).sum() / norm))
    return float(np.degrees(np.arccos(cosine)))


@compiled
def _site_tolerances(cell: Floats, n: int, stol: float) -> Floats:
    """Largest fractional steps between matched atoms in a cell, as StructureMatcher takes them."""
    cosines, sines = np.cos(np.radians(cell[3:])), np.sin(np.radians(cell[3:]))
    square = 1 - (cosines * cosines).sum() + 2 * cosines[0] * cosines[1] * cosines[2]
    root = np.sqrt(max(square, 1e-12))
    volume = cell[0] * cell[1] * cell[2] * root
    limits: Floats = 2 * stol * (volume / n) ** (1 / 3) * sines / (cell[:3] * root)
    return limits


@compiled
def _lattice_vectors(lattice: Floats, longest: float) -> tuple[Floats, Floats]:
    """All lattice vectors up to a length (and some longer ones), and their integer steps."""
    needed = images_needed(lattice, longest)
    size = (2 * needed[0] + 1) * (2 * needed[1] + 1) * (2 * needed[2] + 1)
    vectors, steps = np.empty((size, 3)), np.empty((size, 3))
    place = 0
    for a in range(-needed[0], needed[0] + 1):
        for b in range(-needed[1], needed[1] + 1):
            for c in range(-needed[2], needed[2] + 1):
                vectors[place] = a * lattice[0] + b * lattice[1] + c * lattice[2]
                steps[place] = np.array([a, b, c], dtype=np.float64)
                place += 1
    return vectors, steps


@compiled
def _bases(
    vectors: Floats, cell: Floats, ltol: float, angle: float
) -> tuple[list[tuple[int, int, int]], list[Floats]]:
    """Triples of vectors whose lengths and angles are close to a cell, and their own cells."""
    lengths = np.sqrt((vectors * vectors).sum(axis=1))
    first, second, third = [
        np.flatnonzero((lengths / cell[i] < 1 + ltol) & (lengths / cell[i] > 1 / (1 + ltol)))
        for i in range(3)
    ]
    triples: list[tuple[int, int, int]] = []
    cells: list[Floats] = []
    for i in first:
        for j in second:
            gamma = _degrees(vectors[i], vectors[j])
            if abs(gamma - cell[5]) > angle:
                continue
            for k in third:
                alpha = _degrees(vectors[j], vectors[k])
                beta = _degrees(vectors[i], vectors[k])
                if abs(alpha - cell[3]) <= angle and abs(beta - cell[4]) <= angle:
                    triples.append((int(i), int(j), int(k)))
                    own = np.array([lengths[i], lengths[j], lengths[k], alpha, beta, gamma])
                    cells.append(own)
    return triples, cells


@compiled
def _may_match(  # noqa: PLR0917 - compiled code takes arrays one by one
    lattice: Floats,
    points: Floats,
    others: Floats,
    cell: Floats,
    numbers: NDArray[np.int64],
    tolerances: tuple[float, float, float],
) -> bool:
    """Tell whether a basis of `lattice` and a translation lay `points` near `others`.

    `cell` holds lengths and angles of the other crystal; both are at equal volume.
    """
    ltol, stol, angle = tolerances
    n = len(numbers)
    rare = int(np.argmin(np.array([(numbers == number).sum() for number in numbers])))
    vectors, steps = _lattice_vectors(lattice, cell[:3].max() * (1 + ltol))
    triples, cells = _bases(vectors, cell, ltol, angle)
    basis = np.empty((3, 3))
    for triple, own in zip(triples, cells):  # noqa: B905 - numba's zip has no strict
        for axis in range(3):
            basis[axis] = steps[triple[axis]]
        if abs(abs(np.linalg.det(basis)) - 1) > 0.5:
            continue
        limits = _site_tolerances((own + cell) / 2, n, stol) + _SLACK
        images = points @ np.linalg.inv(basis)
        for site in range(n):
            if numbers[site] != numbers[rare]:
                continue
            if _lands(others, images, numbers, images[site] - others[rare], limits):
                return True
    return False
