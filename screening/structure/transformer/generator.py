"""The pool member: crystals that the masked transformer decodes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Self

import numpy as np

from screening.identity import derive_seed
from screening.structure.crystals import primitive_cell, structure_of
from screening.structure.distances import fingerprint
from screening.structure.equality import Comparable, same_crystal
from screening.structure.pool import REFUSED
from screening.structure.spacegroups import LETTERS
from screening.structure.target import Proposal
from screening.structure.transformer.model import TransformerModel
from screening.structure.transformer.sampling import sample

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from pymatgen.core import Structure

    from screening.structure.crystals import Crystal
    from screening.structure.target import Target
    from screening.structure.transformer.sampling import Sampled

OVERSAMPLING = 3.0
"""Crystals that are decoded for each one that is asked for: some are equal, or impossible."""
_UNDRAWN = 0.3
"""Draws that a crystal counts for that was only taken for its space group."""
_EQUAL = 0.03
"""Fingerprint difference below which crystals of one space group are one."""


@dataclass(frozen=True)
class Draw:
    """A decoded crystal, and how much it counts.

    Attributes
    ----------
    sampled
        The crystal.
    log_likelihood
        Logarithm of the probability of its tokens and of its number of formula units.
    share
        Share of all draws that one draw with its number of formula units is.
    """

    sampled: Sampled
    log_likelihood: float
    share: float


@dataclass
class _Distinct:
    """A crystal, its likeliest draw, and the share of the draws that gave it."""

    draw: Draw
    crystal: Crystal
    structure: Structure
    comparable: Comparable
    fingerprint: NDArray[np.float64]
    share: float

    @classmethod
    def of(cls, draw: Draw, volume: float | None) -> Self:
        """Prepare a crystal for comparison."""
        crystal = draw.sampled.crystal
        crystal = crystal.scaled(volume) if volume else crystal
        structure = structure_of(primitive_cell(crystal))
        own = Comparable.of(structure)
        mark = fingerprint(own.lattice, own.points, own.numbers)
        share = draw.share if draw.sampled.drawn else 0.0
        return cls(draw, crystal, structure, own, mark, share)

    def equals(self, other: Self) -> bool:
        """Whether both are one crystal."""
        if len(self.comparable.numbers) != len(other.comparable.numbers):
            return False
        difference = float(np.sqrt(((self.fingerprint - other.fingerprint) ** 2).mean()))
        if difference <= _EQUAL and self.crystal.number == other.crystal.number:
            return True
        return difference <= REFUSED and same_crystal(self.comparable, other.comparable)

    def score(self, least: float) -> float:
        """Mean of the logarithms of likelihood and share; `least` is the share of none."""
        return (self.draw.log_likelihood + float(np.log(self.share + least))) / 2


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

        Cells with more atoms than the model was trained on have no proposals. A volume that the
        target expects replaces the decoded one.

        Parameters
        ----------
        target
            Composition and limits.
        n
            Most proposals.
        seed
            Other seeds draw other crystals.
        """
        return self.rank(self.draw(target, n, seed), target.expected_volume)[:n]

    def draw(self, target: Target, n: int, seed: int) -> list[Draw]:
        """Decode more crystals than are wanted.

        Formula units in the cell get as many draws as they are common for units of that size.
        """
        rng = np.random.default_rng(derive_seed(self.name, self.version, target.formula, seed))
        unit = sum(target.composition.values())
        units = tuple(m for m in target.allowed_units if m * unit <= self.model.max_atoms)
        if not units or n < 1:
            return []
        draws = []
        chances = self.model.unit_chances(unit, units)
        for m, chance in zip(units, chances.tolist(), strict=True):
            counts = {z: m * count for z, count in target.composition.items()}
            size = max(1, round(OVERSAMPLING * n * chance))
            found = sample(self.model.network, counts, size, rng, groups=self.space_groups)
            share = chance / max(1, sum(one.drawn for one in found))
            draws += [Draw(one, one.log_likelihood + float(np.log(chance)), share) for one in found]
        return draws

    def rank(self, draws: list[Draw], volume: float | None = None) -> list[Proposal]:
        """Make a proposal of each distinct crystal that is possible, best first.

        The score is the mean of two logarithms: of the likelihood of the crystal's tokens, and of
        its share among the draws, which counts all the ways in which it can be decoded.

        Parameters
        ----------
        draws
            Crystals that were decoded.
        volume
            Volume (Angstrom^3/atom) of all of them; None for that which was decoded.
        """
        distinct: list[_Distinct] = []
        for draw in sorted(draws, key=lambda draw: -draw.log_likelihood):
            if draw.sampled.possible:
                own = _Distinct.of(draw, volume)
                same = next((other for other in distinct if other.equals(own)), None)
                if same is None:
                    distinct.append(own)
                else:
                    same.share += own.share
        least = _UNDRAWN / max(1, sum(draw.sampled.drawn for draw in draws))
        scored = [(one.score(least), one) for one in distinct]
        scored.sort(key=lambda pair: -pair[0])
        return [self._proposal(one, score) for score, one in scored]

    def _proposal(self, found: _Distinct, score: float) -> Proposal:
        crystal, sampled = found.crystal, found.draw.sampled
        letters = "".join(LETTERS[letter] for letter in crystal.letters)
        return Proposal(
            structure=found.structure,
            score=score,
            template=f"{crystal.number}_{letters}",
            parameters={
                "space_group": crystal.number,
                "decoded_space_group": sampled.decoded_group,
                "log_likelihood": found.draw.log_likelihood,
                "share": found.share,
                "checkpoint": self.model.ref.sha256,
                "network_calls": sampled.calls,
            },
        )
