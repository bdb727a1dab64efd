"""Further crystals for a bank; what it knows already, and what it has learned, stay as they are."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from screening.crystal.crystals import Crystal, standardise
from screening.crystal.isopointal import Label, Shape, Tolerance, canonical_label
from screening.prototypes.build import (
    MAX_COUNT,
    Prototype,
    cell_of_structure,
    closest,
    found_prototype,
    pack,
)

if TYPE_CHECKING:
    from pymatgen.core import Structure

    from screening.prototypes.bank import Bank


@dataclass
class Extension:
    """What became of the crystals that were offered to a bank.

    Attributes
    ----------
    n_read
        Crystals offered, refused ones included.
    n_added
        Decorations that the bank did not have.
    n_known
        Crystals that it had: same prototype, same elements on it.
    n_prototypes
        Prototypes that it did not have; they are among the added.
    refused
        Label and reason of the others.
    """

    n_read: int = 0
    n_added: int = 0
    n_known: int = 0
    n_prototypes: int = 0
    refused: list[tuple[str, str]] = field(default_factory=list)

    def refuse(self, label: str, reason: str) -> None:
        """Note a crystal that could not be used."""
        self.n_read += 1
        self.refused.append((label, reason))


class Extender:
    """Adds crystals to a bank, one by one.

    A crystal joins the closest prototype within the tolerance, else it founds one. Its cell counts
    as the primitive one, and its energy above the hull is not known (NaN). Prototypes keep their
    places and names.

    Parameters
    ----------
    bank
        The bank, which is not changed.
    tolerance
        How close the crystals of one prototype are: what the bank was built with.

    Attributes
    ----------
    report
        What became of the crystals.
    """

    def __init__(self, bank: Bank, tolerance: Tolerance) -> None:
        self.report = Extension()
        self._bank = bank
        self._tolerance = tolerance
        self._prototypes = _unpack(bank)
        self._variants = bank.variants.tolist()
        self._labels: dict[int, Label] = {}
        self._places: dict[tuple[int, tuple[int, ...]], list[int]] = defaultdict(list)
        for place, (group, counts) in enumerate(
            zip(bank.groups.tolist(), bank.class_counts.tolist(), strict=True)
        ):
            self._places[group, tuple(n for n in counts if n)].append(place)

    def add(self, label: str, structure: Structure, max_atoms: int | None = None) -> None:
        """Offer a crystal.

        Parameters
        ----------
        label
            Where it comes from, for the report.
        structure
            The crystal; one that cannot be used is noted in the report.
        max_atoms
            Most atoms in its primitive cell.
        """
        most = min(max_atoms or MAX_COUNT, MAX_COUNT)
        cell = cell_of_structure(structure)
        crystal = cell if isinstance(cell, str) else standardise(cell)
        if isinstance(crystal, str):
            self.report.refuse(label, crystal)
        elif crystal.n_atoms > most:
            reason = f"has {crystal.n_atoms} atoms in the primitive cell, more than {most}"
            self.report.refuse(label, reason)
        else:
            self.report.n_read += 1
            self._add(crystal)

    def known(self, structure: Structure) -> tuple[bool, bool]:
        """Tell whether a crystal's family (space group and letters) and prototype are there.

        What cannot be described is not.
        """
        cell = cell_of_structure(structure)
        crystal = cell if isinstance(cell, str) else standardise(cell)
        if isinstance(crystal, str):
            return False, False
        label, operations = canonical_label(crystal)
        prototypes = [self._prototypes[place] for place in self._same(label)]
        shape = Shape.of(crystal, operations)
        return bool(prototypes), closest(prototypes, shape, self._tolerance) is not None

    def _add(self, crystal: Crystal) -> None:
        label, operations = canonical_label(crystal)
        places = self._places_of(label)
        same = self._same(label)
        prototypes = [self._prototypes[place] for place in same]
        fit = closest(prototypes, Shape.of(crystal, operations), self._tolerance)
        if fit:
            prototype, species = prototypes[fit[0]], prototypes[fit[0]].equivalent(fit[1])
            if any(key[:-1] == species for key in prototype.decorations):
                self.report.n_known += 1
                return
        else:
            prototype, species = found_prototype(crystal, operations[0], self._tolerance)
            places.append(len(self._prototypes))
            self._prototypes.append(prototype)
            self._variants.append(1 + max((self._variants[place] for place in same), default=0))
            self.report.n_prototypes += 1
        prototype.add(species, crystal.volume_per_atom, float("nan"), crystal.n_atoms)
        self.report.n_added += 1

    def _places_of(self, label: Label) -> list[int]:
        """Prototypes with the group and the counts of a label."""
        return self._places[label[0], tuple(count for count, _ in label[1])]

    def _same(self, label: Label) -> list[int]:
        return [place for place in self._places_of(label) if self._label(place) == label]

    def _label(self, place: int) -> Label:
        if place not in self._labels:
            self._labels[place] = canonical_label(self._prototypes[place].crystal)[0]
        return self._labels[place]

    def bank(self) -> Bank:
        """Make the extended bank; it has the substitution model of the first one."""
        arrays: dict[str, Any] = pack(self._prototypes, self._variants)
        return replace(self._bank, **arrays, ref=None, failures=())


def _unpack(bank: Bank) -> list[Prototype]:
    """Take a bank apart; `pack` gives the same arrays back."""
    classes = (bank.class_counts > 0).sum(axis=1).tolist()
    prototypes = [Prototype(bank.crystal(place), []) for place in range(bank.n_prototypes)]
    for place, swap in zip(bank.swap_prototypes.tolist(), bank.swaps.tolist(), strict=True):
        prototypes[place].swaps.append(tuple(swap[: classes[place]]))
    for place, elements, *values in zip(
        bank.prototypes.tolist(),
        bank.elements.tolist(),
        bank.volumes.tolist(),
        bank.hulls.tolist(),
        bank.n_atoms.tolist(),
        strict=True,
    ):
        volume, hull, n_atoms = values
        key = (*elements[: classes[place]], n_atoms)
        prototypes[place].decorations[key] = (volume, hull, n_atoms)
    return prototypes
