"""Isopointal crystals with close geometry are one prototype: labels, alignment, grouping.

Two crystals are isopointal if they have the same space group and, in some setting of the affine
normaliser, the same Wyckoff letters for the same classes of atoms (Parthe and Gelato 1984,
doi:10.1107/S0108767384000416). They are one prototype if moreover their cells and coordinates agree
within `Tolerance`; the species only tell which orbits belong together.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from screening.compiled import compiled
from screening.crystal.crystals import Crystal, cell_parameters, lattice_matrix
from screening.crystal.space_groups import LETTERS, space_group

if TYPE_CHECKING:
    from collections.abc import Iterator

Floats = NDArray[np.float64]

Label = tuple[int, tuple[tuple[int, tuple[int, ...]], ...]]
"""Space group, then for each class the atoms in the primitive cell and the sorted letters."""

_FORBIDDEN = 1e6
_PEARSON = {"triclinic": "a", "monoclinic": "m", "orthorhombic": "o", "tetragonal": "t"}


@dataclass(frozen=True)
class Tolerance:
    """How close crystals of one prototype are.

    Attributes
    ----------
    length
        Largest difference of the logarithm of a cell length at equal volume.
    angle
        Largest difference of a cell angle (degrees).
    displacement
        Largest distance between matched atoms, in units of the cube root of the volume per atom.
    """

    length: float = 0.05
    angle: float = 3.0
    displacement: float = 0.1


def _blocks(
    letters: NDArray[np.int64], classes: list[NDArray[np.int64]], counts: list[int]
) -> tuple[tuple[int, tuple[int, ...]], ...]:
    """Label of one setting without the space group."""
    return tuple(
        sorted(
            (count, tuple(sorted(letters[members].tolist())))
            for members, count in zip(classes, counts, strict=True)
        )
    )


def canonical_label(crystal: Crystal) -> tuple[Label, list[int]]:
    """Find the smallest label over the settings, and the settings (operations) that give it."""
    mapped = crystal.group.normaliser[2][:, crystal.letters]
    classes = [np.flatnonzero(crystal.species == s) for s in np.unique(crystal.species)]
    multiplicities = crystal.multiplicities
    counts = [int(multiplicities[members].sum()) for members in classes]
    unique, inverse = np.unique(mapped, axis=0, return_inverse=True)
    labels = [_blocks(row, classes, counts) for row in unique]
    best = min(labels)
    settings = [k for k, i in enumerate(inverse.ravel()) if labels[i] == best]
    return (crystal.number, best), settings


def label_name(label: Label) -> str:
    """Write a label in the manner of AFLOW: ``AB3C_cP5_221_a_d_b`` (letters of A, of B, ...).

    The classes are in the label's order: by atoms, then by letters.
    """
    number, blocks = label
    group = space_group(number)
    divisor = int(np.gcd.reduce([count for count, _ in blocks]))
    formula = "".join(
        chr(ord("A") + i) + (str(count // divisor) if count > divisor else "")
        for i, (count, _) in enumerate(blocks)
    )
    system = group.crystal_system
    family = _PEARSON.get(system, "h" if system == "hexagonal" else "c")
    atoms = sum(count for count, _ in blocks) * group.n_centring
    centring = "S" if group.centring in "AC" else group.centring
    letters = "_".join("".join(LETTERS[i] for i in block) for _, block in blocks)
    return f"{formula}_{family}{centring}{atoms}_{number}_{letters}"


def ordered(crystal: Crystal) -> tuple[Crystal, tuple[int, ...]]:
    """Replace species by classes 0, 1, ... in the label's order; return the species by class."""
    multiplicities = crystal.multiplicities
    keys = []
    for species in np.unique(crystal.species):
        members = np.flatnonzero(crystal.species == species)
        letters = tuple(sorted(crystal.letters[members].tolist()))
        keys.append((int(multiplicities[members].sum()), letters, int(species)))
    species_of = tuple(key[2] for key in sorted(keys))
    classes = np.array([species_of.index(s) for s in crystal.species.tolist()])
    order = np.lexsort((*crystal.parameters.T[::-1], crystal.letters, classes))
    result = Crystal(
        number=crystal.number,
        cell=crystal.cell,
        letters=crystal.letters[order],
        species=classes[order],
        parameters=crystal.parameters[order],
    )
    return result, species_of


@dataclass(frozen=True)
class Shape:
    """A crystal prepared for comparison.

    Attributes
    ----------
    crystal
        The crystal.
    images
        All atoms of the conventional cell, orbit after orbit, shape ``(m, 3)``.
    owners
        Orbit of each image, shape ``(m,)``.
    operations
        Normaliser operations that give the crystal its canonical label.
    """

    crystal: Crystal
    images: Floats
    owners: NDArray[np.int64]
    operations: list[int]

    @classmethod
    def of(cls, crystal: Crystal, operations: list[int]) -> Shape:
        """Expand the orbits of a crystal."""
        positions = crystal.group.positions
        images = [
            positions[letter].matrices @ full + positions[letter].offsets
            for letter, full in zip(crystal.letters, crystal.parameters, strict=True)
        ]
        owners = np.repeat(np.arange(len(images)), [len(points) for points in images])
        return cls(crystal, np.concatenate(images), owners, operations)

    @cached_property
    def points(self) -> Floats:
        """First atom of each orbit, shape ``(n, 3)``."""
        _, first = np.unique(self.owners, return_index=True)
        points: Floats = self.images[first]
        return points

    @cached_property
    def metric(self) -> Floats:
        """Lattice at one atom per unit volume."""
        crystal = self.crystal
        metric: Floats = lattice_matrix(crystal.cell) / crystal.volume_per_atom ** (1 / 3)
        return metric

    @cached_property
    def settings(self) -> list[tuple[int, Floats]]:
        """The operations, each with the cell that it gives at one atom per unit volume."""
        rotations = self.crystal.group.normaliser[0]
        cells: dict[bytes, Floats] = {}
        result = []
        for operation in self.operations:
            rotation = rotations[operation]
            key = rotation.tobytes()
            if key not in cells:
                cells[key] = cell_parameters(np.linalg.inv(rotation).T @ self.metric)
            result.append((operation, cells[key]))
        return result


@compiled
def _costs(
    points: Floats, images: Floats, owners: NDArray[np.int64], metric: Floats, cost: Floats
) -> None:
    """Fill `cost`, where it is not negative, with the distances of points to orbits."""
    for i in range(len(points)):
        for m in range(len(images)):
            j = owners[m]
            if cost[i, j] < 0:
                continue
            square = 0.0
            d0 = images[m, 0] - points[i, 0]
            d1 = images[m, 1] - points[i, 1]
            d2 = images[m, 2] - points[i, 2]
            d0 -= np.round(d0)
            d1 -= np.round(d1)
            d2 -= np.round(d2)
            for axis in range(3):
                part = d0 * metric[0, axis] + d1 * metric[1, axis] + d2 * metric[2, axis]
                square += part * part
            cost[i, j] = min(cost[i, j], np.sqrt(square))


def _origin_shifts(
    prototype: Shape, images: Floats, owners: NDArray[np.int64], letters: NDArray[np.int64]
) -> Iterator[Floats]:
    """Shifts along the free directions of the origin that bring some orbit onto the first one."""
    polar = prototype.crystal.group.polar
    if not len(polar):
        yield np.zeros(3)
        return
    values, counts = np.unique(prototype.crystal.letters, return_counts=True)
    rarest = values[np.argmin(counts)]
    anchor = prototype.points[int(np.flatnonzero(prototype.crystal.letters == rarest)[0])]
    shifts = (
        (anchor - images[np.isin(owners, np.flatnonzero(letters == rarest))]) @ polar.T
    ) @ polar
    yield from np.unique(np.round(shifts % 1.0, 4) % 1.0, axis=0)


def _species_by_class(
    classes: NDArray[np.int64], species: NDArray[np.int64]
) -> tuple[int, ...] | None:
    """Species of each class, or None if classes and species do not correspond one to one."""
    pairs = set(zip(classes.tolist(), species.tolist(), strict=True))
    if len(pairs) == len({a for a, _ in pairs}) == len({b for _, b in pairs}):
        return tuple(b for _, b in sorted(pairs))
    return None


def alignments(
    prototype: Shape, shape: Shape, tolerance: Tolerance
) -> dict[tuple[int, ...], float]:
    """All ways to lay a crystal onto a prototype with the same label.

    Parameters
    ----------
    prototype
        A crystal with classes as species (`ordered`), in its canonical setting.
    shape
        The crystal with the operations that give it that label.
    tolerance
        How close they must be.

    Returns
    -------
    Species by class of the prototype -> smallest deviation (in units of the cube root of the volume
    per atom); empty if the crystal does not fit.
    """
    crystal, target = shape.crystal, prototype.crystal
    cell = cell_parameters(prototype.metric)
    rotations, shifts, letter_maps = crystal.group.normaliser
    found: dict[tuple[int, ...], float] = {}
    for operation, own in shape.settings:
        letters = letter_maps[operation][crystal.letters]
        if (
            np.abs(np.log(own[:3] / cell[:3])).max() > tolerance.length
            or np.abs(own[3:] - cell[3:]).max() > tolerance.angle
            or not np.array_equal(np.sort(letters), np.sort(target.letters))
        ):
            continue
        allowed = target.letters[:, None] == letters[None]
        images = shape.images @ rotations[operation].T + shifts[operation]
        for shift in _origin_shifts(prototype, images, shape.owners, letters):
            cost = np.where(allowed, _FORBIDDEN, -1.0)
            _costs(prototype.points, images + shift, shape.owners, prototype.metric, cost)
            cost[~allowed] = _FORBIDDEN
            if cost.min(axis=1).max() > tolerance.displacement:
                continue
            rows, columns = linear_sum_assignment(cost)
            deviation = float(cost[rows, columns].max())
            species = _species_by_class(target.species, crystal.species[columns])
            if species is not None and deviation <= min(
                tolerance.displacement, found.get(species, np.inf)
            ):
                found[species] = deviation
    return found
