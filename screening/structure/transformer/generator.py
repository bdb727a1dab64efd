"""The pool member: crystals that the masked transformer decodes."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Self

import numpy as np

from screening.crystal.crystals import primitive_cell, structure_of
from screening.crystal.distances import fingerprint
from screening.crystal.equality import REFUSED, Comparable, same_crystal
from screening.crystal.space_groups import LETTERS
from screening.identity import derive_seed
from screening.structure.request import Proposal
from screening.structure.transformer.model import TransformerModel
from screening.structure.transformer.sampling import TEMPERATURES, sample

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from pymatgen.core import Structure

    from screening.structure.request import Target
    from screening.structure.transformer.sampling import Sampled

LEAST_SIZE = 16
"""Crystals that are decoded in a round at least."""
_EQUAL = 0.03
"""Fingerprint difference below which crystals of one space group are one."""


@dataclass
class _Distinct:
    """A crystal, prepared for comparison, and its score."""

    sampled: Sampled
    score: float
    structure: Structure
    comparable: Comparable
    fingerprint: NDArray[np.float64]

    @classmethod
    def of(cls, sampled: Sampled, score: float, volume: float | None) -> Self:
        """Prepare a crystal; `volume` (Angstrom^3/atom) replaces its own."""
        crystal = sampled.crystal.scaled(volume) if volume else sampled.crystal
        structure = structure_of(primitive_cell(crystal))
        own = Comparable.of(structure)
        mark = fingerprint(own.lattice, own.points, own.numbers)
        return cls(sampled, score, structure, own, mark)

    def equals(self, other: Self) -> bool:
        """Tell whether both are one crystal."""
        if len(self.comparable.numbers) != len(other.comparable.numbers):
            return False
        difference = float(np.sqrt(((self.fingerprint - other.fingerprint) ** 2).mean()))
        if difference <= _EQUAL and self.sampled.crystal.number == other.sampled.crystal.number:
            return True
        return difference <= REFUSED and same_crystal(self.comparable, other.comparable)


@dataclass
class Drawn:
    """What was decoded for a target.

    Attributes
    ----------
    volume
        Volume of all crystals (Angstrom^3/atom); None for that which was decoded.
    sampled
        All that was decoded, possible or not.
    distinct
        The possible crystals, each once, with its best score.
    """

    volume: float | None
    sampled: list[Sampled] = field(default_factory=list)
    distinct: list[_Distinct] = field(default_factory=list)

    def add(self, sampled: list[Sampled], offset: float) -> None:
        """Add crystals; `offset` is added to their log-likelihoods."""
        self.sampled += sampled
        for one in sampled:
            if not one.possible:
                continue
            own = _Distinct.of(one, one.log_likelihood + offset, self.volume)
            for place, other in enumerate(self.distinct):
                if other.equals(own):
                    if own.score > other.score:
                        self.distinct[place] = own
                    break
            else:
                self.distinct.append(own)


class TransformerGenerator:
    """Proposes crystals from the composition alone, the likeliest first.

    Parameters
    ----------
    checkpoint
        The model, or the name of its checkpoint (read when it is first needed).
    space_groups
        Space groups that are allowed; empty for all, as likely as the network finds them.
    """

    name = "transformer"
    version = "1"

    def __init__(
        self, checkpoint: TransformerModel | str = "transformer", space_groups: Sequence[int] = ()
    ) -> None:
        self._checkpoint = checkpoint
        self.space_groups = tuple(space_groups)

    @cached_property
    def model(self) -> TransformerModel:
        """The model."""
        given = self._checkpoint
        return TransformerModel.load(given) if isinstance(given, str) else given

    def generate(self, target: Target, n: int, seed: int = 0) -> list[Proposal]:
        """Propose up to `n` structures, best first.

        Scores are log-likelihoods of the number of formula units and of all tokens. Cells with more
        atoms than the model was trained on have no proposals. A volume that the target expects
        replaces the decoded one.

        Parameters
        ----------
        target
            Composition and limits.
        n
            Most proposals.
        seed
            Other seeds draw other crystals.
        """
        return self.propose(self.draw(target, n, seed), n)

    def draw(self, target: Target, n: int, seed: int) -> Drawn:
        """Decode until there are enough distinct crystals, at rising temperatures.

        Numbers of formula units get as many proposals as they are common for units of that size.
        """
        found = Drawn(target.expected_volume)
        rng = np.random.default_rng(derive_seed(self.name, self.version, target.formula, seed))
        unit = sum(target.composition.values())
        units = tuple(m for m in target.allowed_units if m * unit <= self.model.max_atoms)
        if not units or n < 1:
            return found
        chances = self.model.unit_chances(unit, units)
        for m, chance in zip(units, chances.tolist(), strict=True):
            counts = {z: m * count for z, count in target.composition.items()}
            wanted, before = max(1, round(n * chance)), len(found.distinct)
            for temperature in TEMPERATURES:
                sampled = sample(
                    self.model.network,
                    counts,
                    max(wanted, round(LEAST_SIZE * chance)),
                    rng,
                    temperature=temperature,
                    groups=self.space_groups,
                )
                found.add(sampled, float(np.log(chance)))
                if len(found.distinct) - before >= wanted:
                    break
        return found

    def propose(self, found: Drawn, n: int) -> list[Proposal]:
        """Make proposals of the likeliest `n` crystals."""
        ranked = sorted(found.distinct, key=lambda one: -one.score)
        return [self._proposal(one) for one in ranked[:n]]

    def _proposal(self, found: _Distinct) -> Proposal:
        crystal = found.sampled.crystal
        letters = "".join(LETTERS[letter] for letter in crystal.letters)
        return Proposal(
            structure=found.structure,
            score=found.score,
            template=f"{crystal.number}_{letters}",
            parameters={
                "space_group": crystal.number,
                "decoded_space_group": found.sampled.decoded_group,
                "checkpoint": self.model.ref.sha256,
                "network_calls": found.sampled.calls,
            },
        )
