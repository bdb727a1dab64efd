"""Arrays of a prototype bank: prototypes, their orbits, and the decorations known for each."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from screening.composition import CompositionArray
from screening.crystal.crystals import COORDINATE_STEPS, Crystal, to_structure
from screening.crystal.volumes import fit_element_volumes
from screening.prototypes.substitution import SubstitutionModel

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray
    from pymatgen.core import Structure


_PER_DECORATION = ("prototypes", "elements", "volumes", "hulls", "n_atoms")
_PER_PROTOTYPE = ("groups", "cells", "class_counts", "variants")
_PER_ORBIT = ("letters", "classes", "coordinates")


@dataclass(frozen=True)
class PrototypeArrays:
    """Prototypes and decorations: ``p`` prototypes, ``o`` orbits, ``d`` decorations.

    At most ``k`` classes of orbits (elements) in one prototype.

    Attributes
    ----------
    groups
        Space group of each prototype, shape ``(p,)``, uint8.
    cells
        Conventional cells at 1 Angstrom^3/atom (lengths, then degrees), ``(p, 6)``, float32.
    class_counts
        Atoms of each class in the primitive cell, ascending, padded with 0, ``(p, k)``, uint8.
    variants
        Running number among the prototypes with the same label, ``(p,)``, uint16.
    orbit_start
        First orbit of each prototype, then ``o``, shape ``(p + 1,)``, int32.
    letters, classes
        Wyckoff letter and class of each orbit, shape ``(o,)``, uint8.
    coordinates
        Free coordinates of each orbit in 1/65520 (0 where not free), shape ``(o, 3)``, uint16.
    swap_prototypes, swaps
        Permutations of classes that leave a prototype as it is: its index ``(s,)`` and the classes
        ``(s, k)``; the identity is left out.
    prototypes
        Prototype of each decoration, ascending, shape ``(d,)``, int32.
    elements
        Atomic numbers by class, padded with 0, shape ``(d, k)``, uint8.
    volumes
        Angstrom^3/atom, shape ``(d,)``, float32.
    hulls
        Energy above the hull (eV/atom; NaN if not known), shape ``(d,)``, float32.
    n_atoms
        Atoms in the cell that was given, a multiple of the primitive cell's, ``(d,)``, uint16.
    model
        How alike elements are; for a bank that was not trained, their tabulated properties.
    """

    groups: NDArray[np.uint8]
    cells: NDArray[np.float32]
    class_counts: NDArray[np.uint8]
    variants: NDArray[np.uint16]
    orbit_start: NDArray[np.int32]
    letters: NDArray[np.uint8]
    classes: NDArray[np.uint8]
    coordinates: NDArray[np.uint16]
    swap_prototypes: NDArray[np.int32]
    swaps: NDArray[np.uint8]
    prototypes: NDArray[np.int32]
    elements: NDArray[np.uint8]
    volumes: NDArray[np.float32]
    hulls: NDArray[np.float32]
    n_atoms: NDArray[np.uint16]
    model: SubstitutionModel = field(default_factory=SubstitutionModel.from_properties)

    def __len__(self) -> int:
        """Return the number of decorations."""
        return len(self.prototypes)

    @property
    def n_prototypes(self) -> int:
        """Number of prototypes."""
        return len(self.groups)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the arrays by name, without the model."""
        values = {item.name: getattr(self, item.name) for item in fields(self)}
        return {name: value for name, value in values.items() if isinstance(value, np.ndarray)}

    def subset(self, mask: NDArray[np.bool_]) -> Self:
        """Keep some decorations, shape ``(d,)``, and the prototypes that they use."""
        used, prototypes = np.unique(self.prototypes[mask], return_inverse=True)
        kept = np.zeros(self.n_prototypes, dtype=bool)
        kept[used] = True
        lengths = np.diff(self.orbit_start)
        orbits = np.repeat(kept, lengths)
        place = np.cumsum(kept) - 1
        swaps = kept[self.swap_prototypes]
        return replace(
            self,
            **{name: getattr(self, name)[mask] for name in _PER_DECORATION[1:]},
            **{name: getattr(self, name)[kept] for name in _PER_PROTOTYPE},
            **{name: getattr(self, name)[orbits] for name in _PER_ORBIT},
            prototypes=prototypes.astype(np.int32),
            orbit_start=np.concatenate([[0], np.cumsum(lengths[kept])]).astype(np.int32),
            swap_prototypes=place[self.swap_prototypes[swaps]].astype(np.int32),
            swaps=self.swaps[swaps],
        )

    def without(self, formulas: Iterable[str]) -> Self:
        """Leave out all decorations with these compositions."""
        from screening.training.data import canonical_formulas

        excluded = set(canonical_formulas(list(formulas)))
        return self.subset(np.array([formula not in excluded for formula in self.formulas], bool))

    @cached_property
    def formulas(self) -> list[str]:
        """Reduced formula of each decoration, without brackets, as in `canonical_formulas`."""
        counts = [
            {z: n for z, n in zip(elements, amounts, strict=True) if z}
            for elements, amounts in zip(
                self.elements.tolist(), self.class_counts[self.prototypes].tolist(), strict=True
            )
        ]
        return CompositionArray.from_counts(counts).reduced().formulas()

    @cached_property
    def relative_volumes(self) -> NDArray[np.float64]:
        """Volume of each prototype over what its elements suggest, geometric mean, ``(p,)``."""
        logs = np.log(self.volumes) - np.log(self.packing(np.arange(len(self))))
        sums = np.bincount(self.prototypes, logs, minlength=self.n_prototypes)
        result: NDArray[np.float64] = np.exp(sums / np.bincount(self.prototypes))
        return result

    @cached_property
    def primitive_atoms(self) -> NDArray[np.int64]:
        """Atoms in the primitive cell of each prototype, shape ``(p,)``."""
        atoms: NDArray[np.int64] = self.class_counts.sum(axis=1, dtype=np.int64)
        return atoms

    @cached_property
    def element_volumes(self) -> NDArray[np.float64]:
        """Volume that an atom of each element takes (Angstrom^3), shape ``(104,)``.

        Least squares over all decorations, held to the mean where an element is rare.
        """
        return fit_element_volumes(self.elements, self.class_counts[self.prototypes], self.volumes)

    def packing(self, decorations: NDArray[np.int64]) -> NDArray[np.float64]:
        """Mean volume per atom (Angstrom^3) that the elements alone suggest, one per decoration."""
        counts = self.class_counts[self.prototypes[decorations]].astype(np.float64)
        volumes = self.element_volumes[self.elements[decorations]] * (counts > 0)
        result: NDArray[np.float64] = (volumes * counts).sum(axis=1) / counts.sum(axis=1)
        return result

    def orbits_of(self, prototype: int) -> slice:
        """Places of a prototype's orbits."""
        return slice(int(self.orbit_start[prototype]), int(self.orbit_start[prototype + 1]))

    def rows_of(self, prototype: int, *, without: str | None = None) -> NDArray[np.int64]:
        """List the decorations of a prototype, ascending, but none with the formula `without`."""
        rows = np.arange(*np.searchsorted(self.prototypes, [prototype, prototype + 1]))
        if without is not None:
            rows = rows[[self.formulas[row] != without for row in rows.tolist()]]
        return rows

    def crystal(self, prototype: int) -> Crystal:
        """Geometry of a prototype at 1 Angstrom^3/atom, with classes 0, 1, ... as species."""
        part = self.orbits_of(prototype)
        return Crystal(
            number=int(self.groups[prototype]),
            cell=self.cells[prototype].astype(np.float64),
            letters=self.letters[part].astype(np.int64),
            species=self.classes[part].astype(np.int64),
            parameters=self.coordinates[part] / COORDINATE_STEPS,
        )

    def decorated(self, prototype: int, elements: Sequence[int], volume: float) -> Crystal:
        """Put elements (atomic numbers by class) on a prototype, at a volume per atom."""
        crystal = self.crystal(prototype)
        species = np.asarray(elements, dtype=np.int64)[crystal.species]
        return crystal.with_species(species).scaled(volume)

    def name(self, prototype: int) -> str:
        """Label of a prototype, such as ``AB_cF8_225_a_b-1``."""
        from screening.crystal.isopointal import canonical_label, label_name

        label, _ = canonical_label(self.crystal(prototype))
        return f"{label_name(label)}-{self.variants[prototype]}"

    def structure(self, decoration: int) -> Structure:
        """Rebuild a known crystal; `properties` hold its prototype and energy above the hull."""
        prototype = int(self.prototypes[decoration])
        crystal = self.decorated(
            prototype, self.elements[decoration].tolist(), float(self.volumes[decoration])
        )
        structure = to_structure(crystal)
        structure.properties = {
            "prototype": self.name(prototype),
            "e_above_hull": float(self.hulls[decoration]),
        }
        return structure
