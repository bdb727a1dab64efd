"""From a composition to crystals: tokens are filled in, the surest first.

The space group is drawn first, then Wyckoff letters, then cell and coordinates in any order; what
is given stays as it is. A letter is filled in for a whole orbit, and only where all other atoms
still find a place, so that every crystal has the composition, and the symmetry of its group.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Self

import numpy as np
import torch
from numpy.typing import NDArray

from screening.crystal.crystals import Crystal
from screening.structure.transformer.data import N_BINS, cell_bins, cell_of_bins
from screening.structure.transformer.network import Batch
from screening.structure.transformer.tables import tables
from screening.structure.transformer.wyckoff import letters_of, possible_groups

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor, nn

Floats = NDArray[np.float64]

SURE = 0.9
"""Probability from which further cell parameters and coordinates are filled in at the same call."""
_REACH = 2
"""Bins on either side that count as the same value."""


@dataclass(frozen=True)
class Given:
    """What is known of a crystal before decoding.

    Attributes
    ----------
    counts
        Atoms of each element in the primitive cell.
    group
        Space group.
    cell
        Conventional cell (Angstrom, degrees), NaN where unknown, shape ``(6,)``; None for unknown.
    temperature
        0 takes the likeliest values, 1 draws them as the network expects them.
    """

    counts: dict[int, int]
    group: int
    cell: Floats | None = None
    temperature: float = 0.0


@dataclass
class _Orbit:
    """Atoms of one orbit: element, letter, coordinates (NaN: unknown), places in the batch."""

    element: int
    letter: int
    token: int
    atoms: list[int]
    free: list[int]
    fractions: Floats = field(default_factory=lambda: np.full(3, np.nan))

    @property
    def unknown(self) -> list[int]:
        return [axis for axis in self.free if np.isnan(self.fractions[axis])]


@dataclass(frozen=True)
class Decoded:
    """A decoded crystal.

    Attributes
    ----------
    crystal
        The crystal.
    log_likelihood
        Logarithm of the probability of its letters, cell and coordinates (to two bins).
    calls
        How often the network was asked.
    """

    crystal: Crystal
    log_likelihood: float
    calls: int


@dataclass(frozen=True)
class _Values:
    """Predictions of cell parameters or coordinates, by bin on the last axis.

    Attributes
    ----------
    chances
        Probability of each bin.
    near
        Probability of each bin and those within `_REACH` of it.
    steps
        Step (bins) from the centre of each bin.
    circular
        Whether the last bin is next to the first.
    """

    chances: Floats
    near: Floats
    steps: Floats
    circular: bool

    @classmethod
    def of(cls, logits: Tensor, steps: Tensor, *, circular: bool) -> Self:
        """Take the outputs of the network."""
        chances = logits.softmax(dim=-1).double().numpy()
        edges = [(0, 0)] * (chances.ndim - 1) + [(_REACH, _REACH)]
        wide = np.pad(chances, edges, mode="wrap" if circular else "constant")
        near = sum(wide[..., i : i + N_BINS] for i in range(2 * _REACH + 1))
        return cls(chances, np.asarray(near), steps.double().numpy(), circular)

    def __getitem__(self, row: int) -> Self:
        """Values of one crystal."""
        return replace(self, chances=self.chances[row], near=self.near[row], steps=self.steps[row])


class _Sample:
    """One crystal while it is decoded."""

    def __init__(self, given: Given, rng: np.random.Generator) -> None:
        self.given, self.rng = given, rng
        self.numbers = np.repeat(list(given.counts), list(given.counts.values()))
        self.left = dict(given.counts)
        self.used: frozenset[int] = frozenset()
        self.orbits: list[_Orbit] = []
        known = tables()
        self.cell_free = known.cell_free[given.group].numpy()
        self.cell_source = known.cell_source[given.group].numpy()
        cell = np.full(6, np.nan) if given.cell is None else given.cell
        fixed = known.cell_fixed[given.group].numpy().astype(np.float64)
        self.cell = cell_bins(np.where(fixed > 0, fixed, cell))[self.cell_source]
        self.log_likelihood, self.calls = 0.0, 0

    @property
    def unknown_cell(self) -> list[int]:
        own = self.cell_source == np.arange(6)
        return np.flatnonzero(own & self.cell_free & np.isnan(self.cell)).tolist()

    @property
    def done(self) -> bool:
        lettered = not any(self.left.values())
        return lettered and not self.unknown_cell and not any(o.unknown for o in self.orbits)

    def place(self, letters: Floats) -> None:
        """Fill in the surest letter; `letters` are logits ``(n, 27)``."""
        own = letters_of(self.given.group)
        taken = {atom for orbit in self.orbits for atom in orbit.atoms}
        best: tuple[float, int, list[int], Floats] | None = None
        for element, count in self.left.items():
            if not count:
                continue
            allowed = own.allowed(self.left, element, self.used)
            atoms = [i for i in np.flatnonzero(self.numbers == element).tolist() if i not in taken]
            chances = _softmax(letters[atoms[0], allowed])
            if best is None or chances.max() > best[0]:
                best = (float(chances.max()), element, allowed, chances)
        assert best is not None
        _, element, allowed, chances = best
        place = self._choose(chances)
        self.log_likelihood += float(np.log(chances[place]))
        self._occupy(element, allowed[place], taken)

    def _occupy(self, element: int, letter: int, taken: set[int]) -> None:
        known, own = tables(), letters_of(self.given.group)
        size = own.multiplicities[letter]
        atoms = [i for i in np.flatnonzero(self.numbers == element).tolist() if i not in taken]
        token = int(known.tokens[self.given.group, letter])
        free = np.flatnonzero(known.free[token].numpy()).tolist()
        self.orbits.append(_Orbit(element, letter, token, atoms[:size], free))
        self.left[element] -= size
        if own.fixed[letter]:
            self.used |= {letter}

    def _choose(self, chances: Floats) -> int:
        """Take the likeliest, or draw at the temperature."""
        if not self.given.temperature:
            return int(chances.argmax())
        weights = chances ** (1 / self.given.temperature)
        return int(self.rng.choice(len(weights), p=weights / weights.sum()))

    def settle(self, cell: _Values, fractions: _Values) -> None:
        """Fill in the surest of cell and coordinates, and all that are sure.

        Parameters
        ----------
        cell, fractions
            What the network says of them.
        """
        options: list[tuple[float, _Orbit | None, int]] = [
            (float(cell.near[axis].max()), None, axis) for axis in self.unknown_cell
        ]
        begun: set[tuple[int, int]] = set()
        for orbit in self.orbits:
            kind = (orbit.element, orbit.token)
            if orbit.unknown and kind not in begun:
                begun.add(kind)
                near = fractions.near[orbit.atoms[0]].max(axis=-1)
                options += [(float(near[axis]), orbit, axis) for axis in orbit.unknown]
        options.sort(key=lambda option: -option[0])
        for sure, owner, axis in options:
            if sure < SURE and sure < options[0][0]:
                break
            if owner is None:
                self.cell[self.cell_source == axis] = self._value(cell, axis)
            else:
                value = self._value(fractions, (owner.atoms[0], axis))
                owner.fractions[axis] = value / N_BINS % 1.0

    def _value(self, values: _Values, at: int | tuple[int, int]) -> float:
        """Choose a bin, go to the likeliest one nearby, and add its step."""
        chances, near = values.chances[at], values.near[at]
        place = self._choose(chances if self.given.temperature else near)
        around = np.arange(place - _REACH, place + _REACH + 1)
        around = around % N_BINS if values.circular else np.clip(around, 0, N_BINS - 1)
        place = int(around[chances[around].argmax()])
        self.log_likelihood += float(np.log(max(near[place], 1e-9)))
        return place + float(np.clip(values.steps[at][place], -0.5, 0.5))

    def crystal(self) -> Crystal:
        """Make the crystal."""
        known = tables()
        cell = cell_of_bins(self.cell)
        fixed = known.cell_fixed[self.given.group].numpy()
        return Crystal(
            number=self.given.group,
            cell=np.where(fixed > 0, fixed, cell),
            letters=np.array([orbit.letter for orbit in self.orbits], dtype=np.int64),
            species=np.array([orbit.element for orbit in self.orbits], dtype=np.int64),
            parameters=np.array([np.nan_to_num(orbit.fractions) for orbit in self.orbits]),
        )


def _softmax(logits: Floats) -> Floats:
    weights = np.exp(logits - logits.max())
    chances: Floats = weights / weights.sum()
    return chances


def _batch(samples: Sequence[_Sample]) -> Batch:
    n = max(len(sample.numbers) for sample in samples)
    size = len(samples)
    numbers, letters = np.zeros((2, size, n), dtype=np.int64)
    fractions, cells = np.full((size, n, 3), np.nan), np.full((size, 6), np.nan)
    for i, sample in enumerate(samples):
        numbers[i, : len(sample.numbers)] = sample.numbers
        cells[i] = sample.cell
        for orbit in sample.orbits:
            letters[i, orbit.atoms] = orbit.token
            fractions[i, orbit.atoms] = orbit.fractions
    return Batch(
        numbers=torch.from_numpy(numbers),
        groups=torch.tensor([sample.given.group for sample in samples]),
        letters=torch.from_numpy(letters),
        fractions=torch.from_numpy(np.nan_to_num(fractions)).float(),
        fractions_known=torch.from_numpy(~np.isnan(fractions)),
        cells=torch.from_numpy(np.nan_to_num(cells)).float(),
        cells_known=torch.from_numpy(~np.isnan(cells)),
    )


@torch.no_grad()
def group_chances(network: nn.Module, counts: Sequence[dict[int, int]]) -> list[Floats]:
    """Probabilities of the space groups 1 to 230, 0 where the atoms do not fit, ``(230,)`` each."""
    batch = _batch([_Sample(Given(own, 1), np.random.default_rng(0)) for own in counts])
    unknown = replace(
        batch, groups=batch.groups * 0, cells_known=torch.zeros_like(batch.cells_known)
    )
    logits = network(unknown).groups.double().numpy()
    chances = []
    for row, own in zip(logits, counts, strict=True):
        possible = np.array(possible_groups(tuple(sorted(own.values())))) - 1
        values = np.zeros(len(row))
        values[possible] = _softmax(row[possible])
        chances.append(values)
    return chances


@torch.no_grad()
def decode(network: nn.Module, given: Sequence[Given], rng: np.random.Generator) -> list[Decoded]:
    """Fill in what is unknown, for all crystals together.

    Parameters
    ----------
    network
        The network, in eval mode.
    given
        What is known; the space group must be able to hold the atoms (`possible_groups`).
    rng
        Source of randomness where a temperature is above 0.
    """
    samples = [_Sample(item, own) for item, own in zip(given, rng.spawn(len(given)), strict=True)]
    active = samples
    while active := [sample for sample in active if not sample.done]:
        outputs = network(_batch(active))
        letters = outputs.letters.double().numpy()
        cells = _Values.of(outputs.cells, outputs.cell_offsets, circular=False)
        fractions = _Values.of(outputs.fractions, outputs.fraction_offsets, circular=True)
        for i, sample in enumerate(active):
            sample.calls += 1
            if any(sample.left.values()):
                sample.place(letters[i])
            else:
                sample.settle(cells[i], fractions[i])
    return [Decoded(s.crystal(), s.log_likelihood, s.calls) for s in samples]
