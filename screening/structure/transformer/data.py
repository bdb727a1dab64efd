"""Crystals as tokens: one for the space group, one for the cell, one for each atom.

Coordinates and letters are those of the standard setting of the space group, where alone Wyckoff
letters have a meaning; the cell is the conventional one, of which a primitive cell's atoms are
kept. All atoms of an orbit have the orbit's letter and its free coordinates, so that a crystal
follows from its tokens exactly. The choice of origin and axes that a space group leaves open (the
cosets of its normaliser, polar axes) is made by a rule or at random: letters follow.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from screening.crystal.crystals import Crystal, standardise, transformed
from screening.elements import column
from screening.progress import report
from screening.prototypes.build import cells_of_table
from screening.structure.transformer.tables import tables

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[np.float64]

N_BINS = 64
SHORTEST, LONGEST = 1.5, 120.0
"""Range of the bins of cell lengths (Angstrom), in equal steps of the logarithm."""
_LEAST_ANGLE, _ANGLE_STEP = 30.0, 2.0
_MAX_TIED = 16
_POLAR_STEP = 1e-6


@dataclass(frozen=True)
class Tokens:
    """``s`` crystals of at most ``n`` atoms in ``v`` settings, the first chosen by rule.

    Attributes
    ----------
    numbers
        Atomic numbers, by electronegativity, 0 is padding, uint8 ``(s, n)``.
    orbits
        First atom of each atom's orbit, uint8 ``(s, n)``.
    groups
        Space groups, uint8 ``(s,)``.
    letters
        Wyckoff tokens, 0 is padding, int16 ``(s, v, n)``.
    fractions
        Free coordinates of each atom's orbit, 0 where not free, float32 ``(s, v, n, 3)``.
    cells
        Conventional cells in units of bins (`cell_bins`), float32 ``(s, v, 6)``.
    """

    numbers: NDArray[np.uint8]
    orbits: NDArray[np.uint8]
    groups: NDArray[np.uint8]
    letters: NDArray[np.int16]
    fractions: NDArray[np.float32]
    cells: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.groups)

    @property
    def sizes(self) -> NDArray[np.int64]:
        """Atoms of each crystal, shape ``(s,)``."""
        return np.asarray((self.numbers > 0).sum(axis=1))


def cell_bins(cells: Floats) -> Floats:
    """Express lengths (Angstrom) and angles (degrees), ``(..., 6)``, in bins; whole at a centre."""
    steps = np.log(cells[..., :3] / SHORTEST) / np.log(LONGEST / SHORTEST) * (N_BINS - 1)
    angles = (cells[..., 3:] - _LEAST_ANGLE) / _ANGLE_STEP
    bins: Floats = np.clip(np.concatenate([steps, angles], axis=-1), 0, N_BINS - 1)
    return bins


def cell_of_bins(bins: Floats) -> Floats:
    """Invert `cell_bins`."""
    lengths = SHORTEST * (LONGEST / SHORTEST) ** (bins[..., :3] / (N_BINS - 1))
    return np.concatenate([lengths, _LEAST_ANGLE + _ANGLE_STEP * bins[..., 3:]], axis=-1)


def by_electronegativity(numbers: NDArray[np.int64]) -> NDArray[np.int64]:
    """Order that sorts atomic numbers by electronegativity, equal ones by number; stable."""
    scale = np.nan_to_num(column("pymatgen_electronegativity"), nan=0.0)
    return np.lexsort((numbers, scale[numbers]))


def shifted(crystal: Crystal, shift: Floats) -> Crystal:
    """Move the origin of a polar space group by `shift` (fractions) along its polar axes."""
    parameters = np.zeros_like(crystal.parameters)
    for row, letter, full in zip(parameters, crystal.letters, crystal.parameters, strict=True):
        position = crystal.group.positions[letter]
        points = position.matrices @ full + position.offsets + shift
        row[position.free] = position.solve(points % 1.0)[0]
    return replace(crystal, parameters=parameters)


def canonical_setting(crystal: Crystal) -> Crystal:
    """Choose the setting by rule: the first letters, then short axes, then small coordinates.

    Orbits come by electronegativity. Along polar axes, the first orbit lies at 0.
    """
    crystal = _sorted(crystal)
    mapped = crystal.group.normaliser[2][:, crystal.letters]
    kinds = np.unique(crystal.species, return_inverse=True)[1]
    blocks = [tuple(row[np.lexsort((row, kinds))].tolist()) for row in mapped]
    best = min(blocks)
    tied = [place for place, block in enumerate(blocks) if block == best][:_MAX_TIED]
    settings = [_at_origin(_sorted(transformed(crystal, place))) for place in tied]
    return min(settings, key=_preference) if len(settings) > 1 else settings[0]


def random_setting(crystal: Crystal, rng: np.random.Generator) -> Crystal:
    """Choose the setting, and the origin along polar axes, at random."""
    moved = transformed(crystal, int(rng.integers(len(crystal.group.normaliser[0]))))
    polar = crystal.group.polar
    return shifted(moved, rng.random(len(polar)) @ polar) if len(polar) else moved


def _at_origin(crystal: Crystal) -> Crystal:
    polar = crystal.group.polar
    if not len(polar):
        return crystal
    position = crystal.group.positions[crystal.letters[0]]
    point = position.matrices[0] @ crystal.parameters[0] + position.offsets[0]
    shift = -(point @ polar.T) @ polar
    return _sorted(shifted(crystal, shift + _POLAR_STEP * polar.sum(axis=0)))


def _sorted(crystal: Crystal) -> Crystal:
    """Order the orbits by electronegativity, then by letter, then by coordinates."""
    rank = np.empty(len(crystal.species), dtype=np.int64)
    rank[by_electronegativity(crystal.species)] = np.arange(len(rank))
    kinds = np.array([rank[crystal.species == s].min() for s in crystal.species])
    order = np.lexsort((*crystal.parameters.round(2).T[::-1], crystal.letters, kinds))
    return replace(
        crystal,
        letters=crystal.letters[order],
        species=crystal.species[order],
        parameters=crystal.parameters[order],
    )


def _preference(crystal: Crystal) -> tuple[float, ...]:
    steps = (crystal.parameters * 50).round() % 50
    return (*np.round(crystal.cell[:3], 1).tolist(), *steps.ravel().tolist())


def tokenise(
    table: pd.DataFrame, max_atoms: int, settings: int, seed: int
) -> tuple[Tokens, NDArray[np.int64]]:
    """Turn the rows of a structure table into tokens.

    Parameters
    ----------
    table
        Structure table.
    max_atoms
        Largest primitive cell that is kept.
    settings
        Settings of each crystal: the canonical one and random ones.
    seed
        Seed of the random settings.

    Returns
    -------
    The tokens, and the rows that they belong to: those without symmetry or too large are left out.
    """
    crystals: list[Crystal] = []
    rows: list[int] = []
    cells = cells_of_table(table)[0]
    for row, cell in enumerate(cells):
        crystal = cell if isinstance(cell, str) else standardise(cell)
        if not isinstance(crystal, str) and crystal.n_atoms <= max_atoms:
            crystals.append(crystal)
            rows.append(row)
        report("tokens", row + 1, len(cells))
    return tokens_of(crystals, max_atoms, settings, seed), np.array(rows, dtype=np.int64)


def tokens_of(crystals: list[Crystal], max_atoms: int, settings: int, seed: int) -> Tokens:
    """Turn crystals into tokens; see `tokenise`."""
    size, letter_of = len(crystals), tables().tokens.numpy()
    numbers = np.zeros((size, max_atoms), dtype=np.uint8)
    orbits = np.zeros((size, max_atoms), dtype=np.uint8)
    letters = np.zeros((size, settings, max_atoms), dtype=np.int16)
    fractions = np.zeros((size, settings, max_atoms, 3), dtype=np.float32)
    values = np.zeros((size, settings, 6))
    for i, crystal in enumerate(crystals):
        first = canonical_setting(crystal)
        counts, n = first.multiplicities, first.n_atoms
        owners = np.repeat(np.arange(len(counts)), counts)
        numbers[i, :n] = first.species[owners]
        orbits[i, :n] = (np.cumsum(counts) - counts)[owners]
        rng = np.random.default_rng([seed, i])
        for k in range(settings):
            setting = random_setting(first, rng) if k else first
            letters[i, k, :n] = letter_of[crystal.number, setting.letters[owners]]
            fractions[i, k, :n] = setting.parameters[owners] % 1.0
            values[i, k] = setting.cell
    groups = np.array([crystal.number for crystal in crystals], dtype=np.uint8)
    cells = cell_bins(values).astype(np.float32)
    return Tokens(numbers, orbits, groups, letters, fractions, cells)
