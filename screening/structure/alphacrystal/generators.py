"""Pool members: crystals rebuilt from predicted contact maps and distance matrices.

AlphaCrystal proposes 10 crystals of a composition, AlphaCrystal-II 50. The cell is searched with
the positions, at the expected volume.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from screening.crystal.crystals import primitive_cell, structure_of
from screening.crystal.distances import (
    MIN_CONTACT,
    closest_contact,
    covalent_radii,
    fingerprint,
)
from screening.crystal.space_groups import LETTERS
from screening.engines import make_engine
from screening.engines.descent import RelaxOptions
from screening.engines.single_points import settle
from screening.errors import InputError
from screening.identity import derive_seed
from screening.metrics.contacts import covalent_contacts
from screening.prototypes.bank import Bank
from screening.structure.alphacrystal.assignment import MapTarget
from screening.structure.alphacrystal.data import inputs_of, ordered_cell
from screening.structure.alphacrystal.labels import kinds_of
from screening.structure.alphacrystal.model import MapModel
from screening.structure.alphacrystal.reconstruct import Reconstruction, reconstruct
from screening.structure.alphacrystal.search import Search
from screening.structure.alphacrystal.space_group_choices import Choice, all_groups, predicted
from screening.structure.alphacrystal.templates import find_templates
from screening.structure.request import Proposal

if TYPE_CHECKING:
    from collections.abc import Iterable

    from screening.crystal.crystals import Cell
    from screening.engines import Engine
    from screening.structure.request import Target

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

_REACH = 1.5
_ALIKE = 0.05
"""Fingerprints that differ less are those of one crystal."""
_RELAX = RelaxOptions(max_steps=25)
_LEAST_ODDS = 1e-6


@dataclass(frozen=True)
class _Rebuilt:
    """A crystal, the map that it was rebuilt from, the probability of its group, its score."""

    wanted: MapTarget
    result: Reconstruction
    probability: float
    score: float


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
        How crystals are searched for.
    groups
        ``predicted``: those of the predicted symmetry, or of the templates without one; ``all``.
    engine
        Name of a potential; the proposals are then ordered by their energies after a short
        relaxation (the papers: by energies of a graph network). None for the order of the maps.
    """

    name: ClassVar[str]
    version = "3"
    contacts: ClassVar[bool]
    spread: ClassVar[float]
    """Loss of fitness that makes a crystal e times less likely."""

    def __init__(
        self,
        checkpoint: MapModel | str = "maps",
        bank: Bank | str = "prototypes",
        *,
        templates: bool = True,
        search: Search | None = None,
        groups: Literal["predicted", "all"] = "predicted",
        engine: str | None = None,
    ) -> None:
        if groups not in {"predicted", "all"}:
            raise InputError(f"groups={groups!r}: use 'predicted' or 'all'")
        self._checkpoint, self._bank, self._engine = checkpoint, bank, engine
        self.templates, self.search, self.groups = templates, search or Search(), groups

    @cached_property
    def model(self) -> MapModel:
        """The model."""
        given = self._checkpoint
        return MapModel.load(given) if isinstance(given, str) else given

    @cached_property
    def bank(self) -> Bank:
        """The bank."""
        return Bank.load(self._bank) if isinstance(self._bank, str) else self._bank

    @cached_property
    def engine(self) -> Engine | None:
        """The potential that gives energies, if there is one."""
        return make_engine(self._engine) if self._engine else None

    def generate(self, target: Target, n: int, seed: int = 0) -> list[Proposal]:
        """Propose up to `n` structures, the likeliest first.

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
        found: list[_Rebuilt] = []
        for units, choices in self._choices(target).items():
            found += self._of_cell(target, units, choices, rng)
        found.sort(key=lambda item: -item.score)
        return self._by_energy(_distinct(map(self._proposal, found), n))

    def _choices(self, target: Target) -> dict[int, list[Choice] | None]:
        """Space groups by formula units; None for those of the templates."""
        one = sum(target.composition.values())
        units = [u for u in target.allowed_units if 2 <= u * one <= self.model.max_atoms]
        if self.groups == "predicted" and not (target.symmetry and target.symmetry.space_groups):
            return dict.fromkeys(units)
        choices = (
            predicted(target, target.symmetry, units)
            if units and target.symmetry and self.groups == "predicted"
            else all_groups(units)
        )
        by_units: dict[int, list[Choice] | None] = {}
        for choice in choices:
            by_units[choice.units] = [*(by_units.get(choice.units) or []), choice]
        return by_units

    def _of_cell(
        self,
        target: Target,
        units: int,
        choices: list[Choice] | None,
        rng: np.random.Generator,
    ) -> list[_Rebuilt]:
        """Crystals with so many formula units."""
        counts = {z: units * count for z, count in target.composition.items()}
        numbers = np.repeat(list(counts), list(counts.values())).astype(np.int64)
        numbers = numbers[np.argsort(kinds_of(numbers), kind="stable")]
        found = None
        if self.templates or choices is None:
            found = find_templates(self.bank, numbers)
        if choices is None:
            shares: dict[int, float] = defaultdict(float)
            if found is not None:
                for number, share in zip(found.groups.tolist(), found.shares.tolist(), strict=True):
                    shares[number] += share
            choices = [Choice(number, units, share) for number, share in shares.items()]
        maps = self.model.predict(
            inputs_of([numbers], [found if self.templates else None], len(numbers))
        )
        distances = maps.distances[0].astype(np.float64)
        np.fill_diagonal(distances, 0)
        if self.contacts:
            wanted = MapTarget(
                numbers, maps.contacts[0].astype(np.float64), contacts=True, expected=distances
            )
        else:
            wanted = MapTarget(numbers, distances, contacts=False)
        volume = target.expected_volume
        if volume is None:
            volume = float(self.bank.element_volumes[numbers].mean())
        groups = [choice.number for choice in choices]
        results = reconstruct(wanted, groups, rng, search=self.search, volume_per_atom=volume)
        odds = {choice.number: choice.probability for choice in choices}
        return [
            _Rebuilt(
                wanted,
                result,
                odds[result.crystal.number],
                result.score / self.spread
                + float(np.log(max(odds[result.crystal.number], _LEAST_ODDS))),
            )
            for result in results
        ]

    def _proposal(self, found: _Rebuilt) -> tuple[Proposal, Cell] | None:
        """Make a proposal; None if atoms are too close."""
        wanted, result = found.wanted, found.result
        cell = primitive_cell(result.crystal)
        radii = covalent_radii()[cell[2]]
        if closest_contact(cell[0], cell[1], radii, _REACH) < MIN_CONTACT:
            return None
        numbers, distances = ordered_cell(cell)
        final = covalent_contacts(distances, numbers) if self.contacts else distances
        number = result.crystal.number
        letters = "".join(LETTERS[letter] for letter in result.crystal.letters)
        proposal = Proposal(
            structure=structure_of(cell),
            score=found.score,
            template=f"{number}_{letters}",
            parameters={
                "space_group": number,
                "probability": found.probability,
                "fitness": result.score,
                "algorithm": self.search.algorithm,
                "checkpoint": self.model.ref.sha256,
                "templates": self.templates,
                "atoms": numbers.tolist(),
                "predicted_map": _plain(wanted.matrix),
                "reconstructed_map": _plain(final),
            },
        )
        return proposal, cell

    def _by_energy(self, made: list[tuple[Proposal, Cell]]) -> list[Proposal]:
        """Order proposals by energy, if there is a potential; what has no energy comes last."""
        proposals = [proposal for proposal, _ in made]
        if self.engine is None or not made:
            return proposals
        _, energies = settle([cell for _, cell in made], self.engine, _RELAX)
        order = np.argsort(np.nan_to_num(energies, nan=np.inf), kind="stable")
        return [proposals[place] for place in order.tolist()]


class ContactMapGenerator(MapGenerator):
    """Proposes crystals that have the predicted contacts (AlphaCrystal)."""

    name = "contact-map"
    contacts = True
    spread = 0.1


class DistanceMatrixGenerator(MapGenerator):
    """Proposes crystals that have the predicted distances (AlphaCrystal-II)."""

    name = "distance-matrix"
    contacts = False
    spread = 0.15


def _distinct(made: Iterable[tuple[Proposal, Cell] | None], n: int) -> list[tuple[Proposal, Cell]]:
    """Take the first `n` crystals that are not like one before them."""
    kept: list[tuple[Proposal, Cell]] = []
    prints: list[Floats] = []
    for item in made:
        if len(kept) >= n:
            break
        if item is None:
            continue
        own = fingerprint(*item[1])
        same = (p.shape == own.shape and np.sqrt(((p - own) ** 2).mean()) < _ALIKE for p in prints)
        if not any(same):
            kept.append(item)
            prints.append(own)
    return kept


def _plain(values: NDArray[Any]) -> list[list[float]]:
    rows: list[list[float]] = np.round(values.astype(np.float64), 3).tolist()
    return rows
