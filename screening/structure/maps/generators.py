"""Pool members: crystals rebuilt from predicted contact maps and distance matrices.

AlphaCrystal proposes 10 crystals of a composition, AlphaCrystal-II 50. Space groups come from the
predicted symmetry or, without it, from the templates; the cell is searched with the positions, at
the expected volume.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from screening.identity import derive_seed
from screening.metrics.contacts import covalent_contacts
from screening.structure.bank import Bank
from screening.structure.crystals import primitive_cell, structure_of
from screening.structure.distances import MIN_CONTACT, closest_contact, covalent_radii
from screening.structure.maps.data import inputs_of, ordered_cell
from screening.structure.maps.model import MapModel
from screening.structure.maps.reconstruct import MapTarget, Reconstruction, Search, reconstruct
from screening.structure.maps.targets import kinds_of
from screening.structure.maps.templates import find_templates
from screening.structure.spacegroups import LETTERS
from screening.structure.target import Proposal

if TYPE_CHECKING:
    from screening.structure.target import Target

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

MAX_GROUPS = 10
_REACH = 1.5


class MapGenerator:
    """What both generators share.

    Parameters
    ----------
    checkpoint
        The model, or the name of its checkpoint.
    bank
        Bank of the templates and of volumes, or the name of its checkpoint.
    templates
        Whether the model sees templates; otherwise the composition is all it knows.
    search
        How long crystals are searched for in each space group.
    """

    name: ClassVar[str]
    version = "1"
    contacts: ClassVar[bool]

    def __init__(
        self,
        checkpoint: MapModel | str = "maps",
        bank: Bank | str = "prototypes",
        *,
        templates: bool = True,
        search: Search | None = None,
    ) -> None:
        self._checkpoint, self._bank = checkpoint, bank
        self.templates, self.search = templates, search or Search()

    @cached_property
    def model(self) -> MapModel:
        """The model."""
        given = self._checkpoint
        return MapModel.load(given) if isinstance(given, str) else given

    @cached_property
    def bank(self) -> Bank:
        """The bank."""
        return Bank.load(self._bank) if isinstance(self._bank, str) else self._bank

    def generate(self, target: Target, n: int, seed: int = 0) -> list[Proposal]:
        """Propose up to `n` structures, best fitness first.

        Cells with more atoms than the model was trained on have no proposals.

        Parameters
        ----------
        target
            Composition and limits.
        n
            Most proposals.
        seed
            Other seeds search elsewhere.
        """
        rng = np.random.default_rng(derive_seed(self.name, self.version, target.formula, seed))
        proposals: list[Proposal] = []
        for units in target.allowed_units:
            counts = {z: units * count for z, count in target.composition.items()}
            if 2 <= sum(counts.values()) <= self.model.max_atoms:
                proposals += self._of_cell(target, counts, rng)
        proposals.sort(key=lambda item: -(item.score or 0.0))
        return proposals[:n]

    def _of_cell(
        self, target: Target, counts: dict[int, int], rng: np.random.Generator
    ) -> list[Proposal]:
        """Proposals with so many atoms of each element."""
        numbers = np.repeat(list(counts), list(counts.values())).astype(np.int64)
        numbers = numbers[np.argsort(kinds_of(numbers), kind="stable")]
        found = find_templates(self.bank, numbers)
        groups = _groups(target, found.groups if found else None)
        maps = self.model.predict(
            inputs_of([numbers], [found if self.templates else None], len(numbers))
        )
        values = maps.contacts[0] if self.contacts else maps.distances[0]
        volume = target.expected_volume
        if volume is None:
            volume = float(self.bank.element_volumes[numbers].mean())
        wanted = MapTarget(numbers, values.astype(np.float64), self.contacts)
        results = [
            found_crystal
            for number in groups
            for found_crystal in reconstruct(
                wanted, number, rng, search=self.search, volume_per_atom=volume
            )
        ]
        proposals = [self._proposal(wanted, result) for result in results]
        return [proposal for proposal in proposals if proposal is not None]

    def _proposal(self, wanted: MapTarget, result: Reconstruction) -> Proposal | None:
        """Make a proposal; None if atoms are too close."""
        cell = primitive_cell(result.crystal)
        radii = covalent_radii()[cell[2]]
        if closest_contact(cell[0], cell[1], radii, _REACH) < MIN_CONTACT:
            return None
        numbers, distances = ordered_cell(cell)
        final = covalent_contacts(distances, numbers) if self.contacts else distances
        letters = "".join(LETTERS[letter] for letter in result.crystal.letters)
        return Proposal(
            structure=structure_of(cell),
            score=result.score,
            template=f"{result.crystal.number}_{letters}",
            parameters={
                "space_group": result.crystal.number,
                "checkpoint": self.model.ref.sha256,
                "templates": self.templates,
                "atoms": numbers.tolist(),
                "predicted_map": _plain(wanted.matrix),
                "reconstructed_map": _plain(final),
            },
        )


class ContactMapGenerator(MapGenerator):
    """Proposes crystals that have the predicted contacts (AlphaCrystal)."""

    name = "contact-map"
    contacts = True


class DistanceMatrixGenerator(MapGenerator):
    """Proposes crystals that have the predicted distances (AlphaCrystal-II)."""

    name = "distance-matrix"
    contacts = False


def _plain(values: NDArray[Any]) -> list[list[float]]:
    rows: list[list[float]] = np.round(values.astype(np.float64), 3).tolist()
    return rows


def _groups(target: Target, templates: Integers | None) -> list[int]:
    """Space groups that are searched: the likeliest of the symmetry, or those of the templates."""
    guesses = target.symmetry.space_groups if target.symmetry else []
    if guesses:
        ordered = sorted(guesses, key=lambda guess: -guess.probability)
        return [guess.number for guess in ordered[:MAX_GROUPS]]
    return [] if templates is None else list(dict.fromkeys(templates.tolist()))
