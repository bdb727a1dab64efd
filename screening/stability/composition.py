"""What the composition alone says of its stability, in numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from screening.elements import symbols
from screening.features import descriptors
from screening.references import Diagram

if TYPE_CHECKING:
    from screening.composition import CompositionArray
    from screening.references import Placement, ReferenceTable
    from screening.stability.neighbours import Neighbours

Floats = NDArray[np.float64]

SURROUNDINGS = 9
"""Columns of `surroundings`."""


@dataclass(frozen=True)
class Location:
    """A composition among the known compounds of its chemical system, itself left out.

    Attributes
    ----------
    placement
        Hull energy, competing phases, and what is known of the composition.
    n_references
        Other compounds of the system and its subsystems.
    n_in_system
        Other compounds with exactly its elements.
    empty_systems
        Subsystems of two elements or more without any compound.
    """

    placement: Placement
    n_references: int
    n_in_system: int
    empty_systems: tuple[str, ...]

    @property
    def competing_energy(self) -> float:
        """Formation energy of what it would decompose to (eV/atom)."""
        return self.placement.competing_energy


def locate(table: ReferenceTable, compositions: CompositionArray) -> list[Location]:
    """Place n compositions among the compounds of a table, each without itself."""
    reduced = compositions.reduced()
    diagrams: dict[tuple[int, ...], tuple[Diagram, dict[str, int]]] = {}
    locations = []
    for formula, numbers in zip(reduced.formulas(), reduced.numbers.tolist(), strict=True):
        key = tuple(z for z in numbers if z)
        elements = [symbols()[z] for z in key]
        if key not in diagrams:
            diagrams[key] = (Diagram(table, elements), table.completeness(elements))
        diagram, counts = diagrams[key]
        itself_ = int(len(key) > 1 and table.knows(formula))
        system = counts.get("-".join(sorted(elements)), itself_)
        locations.append(
            Location(
                placement=diagram.place(formula),
                n_references=sum(counts.values()) - itself_,
                n_in_system=system - itself_,
                empty_systems=tuple(sorted(name for name, count in counts.items() if not count)),
            )
        )
    return locations


def surroundings(locations: list[Location], compositions: CompositionArray) -> Floats:
    """Describe the diagram around n compositions, shape ``(n, 9)``.

    Competing energy (eV/atom), number, smallest and largest share of the competing phases and
    elements among them; compounds of the system and inside it, empty systems; atoms of the formula.
    """
    atoms = compositions.reduced().counts.sum(axis=1)
    rows = []
    for item, n in zip(locations, atoms.tolist(), strict=True):
        products = item.placement.products
        shares = products.values()
        rows.append(
            (
                item.competing_energy,
                len(products),
                min(shares),
                max(shares),
                sum(name in symbols() for name in products),
                item.n_in_system,
                item.n_references,
                len(item.empty_systems),
                n,
            )
        )
    return np.array(rows, dtype=np.float64).reshape(-1, SURROUNDINGS)


def composition_features(
    compositions: CompositionArray, locations: list[Location], neighbours: Neighbours
) -> NDArray[np.float32]:
    """Features of the trees that judge compositions: descriptors, surroundings, neighbours."""
    columns = (
        descriptors(compositions.reduced()),
        surroundings(locations, compositions),
        neighbours.statistics(compositions),
    )
    return np.hstack(columns).astype(np.float32)
