"""Crystals that a potential is tuned on, and crystals that hold it where it was.

Hypothetical crystals are known ones with an element exchanged for another of its group, rattled and
strained: databases hold few of them, and a potential that is tuned on relaxed crystals alone would
forget what lies between and beside minima (Deng et al. 2025, doi:10.1038/s41524-024-01500-6).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from screening.elements import column, symbols
from screening.engines.base import Crystal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from screening.engines.base import Engine

Floats = NDArray[np.float64]

RATTLE = 0.06
"""Standard deviation of the displacement of an atom (Angstrom)."""
STRAIN = 0.03
"""Standard deviation of the components of the strain."""
MAX_FORCE = 15.0
"""Largest force (eV/Angstrom) in a frame that is used."""


@dataclass(frozen=True)
class Frames:
    """Crystals with the energies, and perhaps forces, that they should have.

    Attributes
    ----------
    crystals
        n crystals.
    energies
        Energies (eV/atom), shape ``(n,)``.
    forces
        Forces (eV/Angstrom) of each crystal, or None where only its energy is known.
    """

    crystals: list[Crystal]
    energies: Floats
    forces: list[Floats | None]

    def __len__(self) -> int:
        return len(self.crystals)

    def __add__(self, other: Frames) -> Frames:
        energies = np.concatenate([self.energies, other.energies])
        return Frames(self.crystals + other.crystals, energies, self.forces + other.forces)


def neighbours_in_the_table() -> dict[int, list[int]]:
    """Other elements of the same group of the periodic table, by atomic number."""
    groups = column("group")
    numbers = np.arange(len(symbols()))
    return {
        int(number): [
            int(other)
            for other in numbers[1:]
            if other != number and groups[other] == groups[number]
        ]
        for number in numbers[1:]
        if np.isfinite(groups[number])
    }


def hypothetical(
    crystals: Sequence[Crystal], allowed: frozenset[int], n: int, rng: np.random.Generator
) -> list[Crystal]:
    """Exchange one element of crystals, scale their volume by the elements' radii, and disturb.

    Parameters
    ----------
    crystals
        Known crystals.
    allowed
        Atomic numbers that may be put in.
    n
        Number of crystals that are made.
    rng
        Source of randomness.
    """
    table, radii = neighbours_in_the_table(), column("atomic_radius")
    made: list[Crystal] = []
    for _ in range(20 * n):
        if len(made) == n:
            break
        crystal = crystals[int(rng.integers(len(crystals)))]
        old = int(rng.choice(crystal.numbers))
        choices = [z for z in table.get(old, []) if z in allowed and z not in crystal.numbers]
        if not choices:
            continue
        numbers = crystal.numbers.copy()
        numbers[numbers == old] = int(rng.choice(choices))
        ratio = float(radii[numbers].sum() / radii[crystal.numbers].sum())
        if np.isfinite(ratio):
            scaled = Crystal(numbers, crystal.cell * ratio, crystal.positions * ratio)
            made.append(disturbed(scaled, rng))
    return made


def disturbed(crystal: Crystal, rng: np.random.Generator) -> Crystal:
    """Rattle the atoms of a crystal and strain its cell."""
    strain = rng.normal(0, STRAIN, (3, 3))
    bend = np.eye(3) + (strain + strain.T) / 2
    shift = rng.normal(0, RATTLE, crystal.positions.shape)
    return Crystal(crystal.numbers, crystal.cell @ bend, (crystal.positions + shift) @ bend)


def labelled_by(engine: Engine, crystals: Sequence[Crystal]) -> Frames:
    """Give crystals the energies and forces of a potential; leave out those that are far off."""
    results = engine.evaluate(crystals)
    pairs = [
        (crystal, result)
        for crystal, result in zip(crystals, results, strict=True)
        if result.error is None and np.abs(result.forces).max() < MAX_FORCE
    ]
    return Frames(
        [crystal for crystal, _ in pairs],
        np.array([result.energy / len(crystal) for crystal, result in pairs]),
        [result.forces for _, result in pairs],
    )
