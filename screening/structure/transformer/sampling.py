"""Several crystals of one composition: distinct space groups first, then draws."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from screening.crystal.crystals import primitive_cell, standardise
from screening.crystal.distances import MIN_CONTACT, closest_contact, covalent_radii
from screening.structure.transformer.decode import Given, decode, group_chances

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import nn

    from screening.crystal.crystals import Crystal

Floats = NDArray[np.float64]

LEAST_CHANCE = 1e-4
"""Space groups that are less likely are not tried."""
STRATIFIED = 0.4
"""Share of the samples of the first round that have distinct space groups."""
TEMPERATURES = (0.6, 1.0, 1.4, 1.8, 2.2)
"""Temperatures of the other samples, round by round."""
SYMPREC = 0.1
_REACH = 1.5
_MIN_VOLUME = 2.0
"""Least volume of a cell (Angstrom^3/atom)."""


@dataclass(frozen=True)
class Sampled:
    """A crystal that was decoded.

    Attributes
    ----------
    crystal
        The crystal, in the symmetry that it has within `SYMPREC`.
    possible
        Whether no atoms are too close, and the cell is one.
    decoded_group
        Space group that was drawn.
    log_likelihood
        Logarithm of the probability of all its tokens.
    calls
        How often the network was asked, the space group included.
    """

    crystal: Crystal
    possible: bool
    decoded_group: int
    log_likelihood: float
    calls: int


def choose_groups(
    chances: Floats, size: int, rng: np.random.Generator, temperature: float
) -> list[tuple[int, float]]:
    """Choose space groups and temperatures of `size` samples.

    In the first round the likeliest groups come once each, at temperature 0. The others are drawn
    in proportion to their probabilities, at higher temperatures to a lower power of them.

    Parameters
    ----------
    chances
        Probabilities of the groups 1 to 230, shape ``(230,)``.
    size
        Number of samples.
    rng
        Source of randomness.
    temperature
        One of `TEMPERATURES`.
    """
    order = np.argsort(-chances, kind="stable")
    order = order[chances[order] >= min(LEAST_CHANCE, chances.max())]
    first = temperature == TEMPERATURES[0]
    distinct = order[: max(1, round(STRATIFIED * size))] if first else order[:0]
    chosen = [(int(place) + 1, 0.0) for place in distinct]
    rest = size - len(chosen)
    weights = chances[order] ** (1 / max(1.0, temperature))
    sums = np.cumsum(weights) / weights.sum()
    drawn = order[np.searchsorted(sums, (np.arange(rest) + rng.random()) / max(rest, 1))]
    return chosen + [(int(place) + 1, temperature) for place in drawn]


def sample(
    network: nn.Module,
    counts: dict[int, int],
    size: int,
    rng: np.random.Generator,
    *,
    temperature: float = TEMPERATURES[0],
    groups: Sequence[int] = (),
    cell: Floats | None = None,
) -> list[Sampled]:
    """Decode crystals, best first.

    Parameters
    ----------
    network
        The network, in eval mode.
    counts
        Atoms of each element in the primitive cell.
    size
        Crystals that are decoded.
    rng
        Source of randomness.
    temperature
        One of `TEMPERATURES`.
    groups
        Space groups that are allowed; empty for all.
    cell
        Conventional cell (Angstrom, degrees), NaN where unknown, shape ``(6,)``.
    """
    chances = group_chances(network, [counts])[0]
    if groups:
        allowed = np.isin(np.arange(1, len(chances) + 1), list(groups))
        chances = np.where(allowed, chances, 0.0)
    if not chances.any():
        return []
    chosen = choose_groups(chances, size, rng, temperature)
    given = [Given(counts, group, cell, heat) for group, heat in chosen]
    found = []
    for item in decode(network, given, rng):
        possible = is_possible(item.crystal)
        crystal = symmetrised(item.crystal) if possible else item.crystal
        group = item.crystal.number
        total = item.log_likelihood + float(np.log(chances[group - 1]))
        found.append(
            Sampled(
                crystal,
                possible=possible,
                decoded_group=group,
                log_likelihood=total,
                calls=item.calls + 1,
            )
        )
    return sorted(found, key=lambda one: -one.log_likelihood)


def is_possible(crystal: Crystal) -> bool:
    """Tell whether a crystal has a cell, and no atoms that are too close."""
    lattice, points, numbers = primitive_cell(crystal)
    volume = abs(float(np.linalg.det(lattice)))
    if not np.isfinite(lattice).all() or volume < _MIN_VOLUME * len(numbers):
        return False
    contact = closest_contact(lattice, points, covalent_radii()[numbers], _REACH)
    return bool(contact >= MIN_CONTACT)


def symmetrised(crystal: Crystal) -> Crystal:
    """Give a crystal the symmetry that it has within `SYMPREC`: that of its group, or a higher one.

    Where spglib finds no symmetry, or fewer atoms in the primitive cell, it stays as it is.
    """
    found = standardise(primitive_cell(crystal), (SYMPREC,))
    if isinstance(found, str) or found.n_atoms != crystal.n_atoms:
        return crystal
    return found
