"""Which space groups are searched, and with how many formula units in the cell.

As AlphaCrystal does it: the five likeliest space groups of each of the two likeliest crystal
systems, by the predicted symmetry. The lattice that is predicted for the Bravais class, over the
predicted volume per atom, says how many atoms the cell has. Without a predicted symmetry, space
groups are those of the templates.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from screening.crystal.crystals import lattice_matrix
from screening.crystal.space_groups import space_group

if TYPE_CHECKING:
    from collections.abc import Iterable

    from screening.schemas import SymmetryDoc
    from screening.structure.request import Target

N_SYSTEMS, N_GROUPS = 2, 5
MAX_CHOICES = 24
COUNT_SPREAD = 0.35
"""Predicted numbers of atoms are off by a factor of e to this, so we assume."""
_POINTS = {"P": 1, "I": 2, "C": 2, "F": 4}


@dataclass(frozen=True)
class Choice:
    """A space group and a number of formula units, with their probability."""

    number: int
    units: int
    probability: float


def all_groups(units: Iterable[int]) -> list[Choice]:
    """All 230 space groups, all alike."""
    numbers = sorted(set(units))
    share = 1 / (230 * max(1, len(numbers)))
    return [Choice(number, unit, share) for unit in numbers for number in range(1, 231)]


def predicted(target: Target, symmetry: SymmetryDoc, units: Iterable[int]) -> list[Choice]:
    """Choices by the predicted symmetry, likeliest first, at most `MAX_CHOICES`.

    Parameters
    ----------
    target
        The composition.
    symmetry
        Its predicted symmetry; the more space groups it lists, the better.
    units
        Formula units that are allowed.
    """
    by_system: dict[str, list[tuple[float, int]]] = defaultdict(list)
    for guess in symmetry.space_groups:
        system = space_group(guess.number).crystal_system
        by_system[system].append((guess.probability, guess.number))
    systems = sorted(by_system.values(), key=lambda rows: -sum(p for p, _ in rows))[:N_SYSTEMS]
    counts = _atoms_by_class(symmetry)
    one = sum(target.composition.values())
    sizes = np.array(sorted(set(units)))
    result = []
    for rows in systems:
        for probability, number in sorted(rows, reverse=True)[:N_GROUPS]:
            expected = counts.get(bravais_of(number))
            logs = np.zeros(len(sizes))
            if expected is not None:
                logs = -0.5 * (np.log(sizes * one / expected) / COUNT_SPREAD) ** 2
            shares = np.exp(logs - logs.max())
            shares /= shares.sum()
            result += [
                Choice(number, int(size), float(probability * share))
                for size, share in zip(sizes, shares, strict=True)
            ]
    return sorted(result, key=lambda choice: -choice.probability)[:MAX_CHOICES]


def bravais_of(number: int) -> str:
    """Bravais class of a space group, as `BravaisGuess` names it."""
    group = space_group(number)
    if group.centring == "R":
        return "rhombohedral P"
    centring = "C" if group.centring in "ABC" else group.centring
    return f"{group.crystal_system} {centring}"


def _atoms_by_class(symmetry: SymmetryDoc) -> dict[str, float]:
    """Atoms in the primitive cell that the predicted lattice of each Bravais class has room for."""
    return {
        guess.bravais: abs(float(np.linalg.det(lattice_matrix(np.array(guess.lattice)))))
        / _POINTS[guess.bravais[-1]]
        / symmetry.volume_per_atom
        for guess in symmetry.bravais
    }
