"""The pool member: crystals that the masked transformer decodes."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

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

    from screening.structure.target import Target
    from screening.structure.transformer.sampling import Sampled

OVERSAMPLING = 3.0
"""Crystals that are decoded for each one that is asked for: some are equal, or impossible."""


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

        Scores are log-likelihoods: of the number of formula units, as common as it is for units of
        that size, and of all tokens. Cells with more atoms than the model was trained on have no
        proposals. A volume that the target expects replaces the decoded one.

        Parameters
        ----------
        target
            Composition and limits.
        n
            Most proposals.
        seed
            Other seeds draw other crystals.
        """
        return self.distinct(self.draw(target, n, seed), n, target.expected_volume)

    def draw(self, target: Target, n: int, seed: int) -> list[tuple[float, Sampled]]:
        """Decode more crystals than are wanted, with their scores, best first."""
        rng = np.random.default_rng(derive_seed(self.name, self.version, target.formula, seed))
        unit = sum(target.composition.values())
        units = tuple(m for m in target.allowed_units if m * unit <= self.model.max_atoms)
        if not units or n < 1:
            return []
        chances = self.model.unit_chances(unit, units)
        found: list[tuple[float, Sampled]] = []
        for m, chance in zip(units, chances.tolist(), strict=True):
            counts = {z: m * count for z, count in target.composition.items()}
            size = max(1, round(OVERSAMPLING * n * chance))
            sampled = sample(self.model.network, counts, size, rng, groups=self.space_groups)
            found += [(one.log_likelihood + float(np.log(chance)), one) for one in sampled]
        return sorted(found, key=lambda pair: -pair[0])

    def distinct(
        self, found: list[tuple[float, Sampled]], n: int, volume: float | None
    ) -> list[Proposal]:
        """Make proposals of the first `n` possible crystals, each once.

        Parameters
        ----------
        found
            Crystals and scores, best first.
        n
            Most proposals.
        volume
            Volume (Angstrom^3/atom) of all of them; None for that which was decoded.
        """
        proposals: list[Proposal] = []
        known: list[tuple[Comparable, NDArray[np.float64]]] = []
        for score, one in found:
            if len(proposals) == n:
                break
            if not one.possible:
                continue
            crystal = one.crystal.scaled(volume) if volume else one.crystal
            structure = structure_of(primitive_cell(crystal))
            own = Comparable.of(structure)
            mark = fingerprint(own.lattice, own.points, own.numbers)
            if any(
                len(other.numbers) == len(own.numbers)
                and float(np.sqrt(((mark - other_mark) ** 2).mean())) <= REFUSED
                and same_crystal(other, own)
                for other, other_mark in known
            ):
                continue
            known.append((own, mark))
            letters = "".join(LETTERS[letter] for letter in crystal.letters)
            proposals.append(
                Proposal(
                    structure=structure,
                    score=score,
                    template=f"{crystal.number}_{letters}",
                    parameters={
                        "space_group": crystal.number,
                        "decoded_space_group": one.decoded_group,
                        "checkpoint": self.model.ref.sha256,
                        "network_calls": one.calls,
                    },
                )
            )
        return proposals
