"""What known crystals say about the distances of a composition: an input of the networks.

The likeliest prototypes of the bank, with the composition's elements, give distance matrices; they
are laid over each other by exchanging equal atoms, and their likelihoods weight them.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from screening.crystal.crystals import primitive_cell
from screening.metrics.contacts import covalent_contacts
from screening.prototypes.retrieval import Query
from screening.structure.alphacrystal.alignment import align
from screening.structure.alphacrystal.labels import (
    atom_order,
    cell_distances,
    kinds_of,
    vesta_contacts,
)

if TYPE_CHECKING:
    from screening.prototypes.bank import Bank

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

N_TEMPLATES = 8
N_CENTRES = 20
CENTRES = np.linspace(1.2, 9.0, N_CENTRES)
"""Distances (Angstrom) of the histogram of templates."""
PAIR_CHANNELS = N_CENTRES + 7
MEAN_DISTANCE, COVALENT_SHARE, VESTA_SHARE = N_CENTRES + 1, N_CENTRES + 4, N_CENTRES + 6
"""Channels: mean distance in units of `DISTANCE_UNIT`, likelihoods of contacts by both rules."""
DISTANCE_UNIT = 5.0
CRYSTAL_CHANNELS = 4
STARTS = 6


@dataclass(frozen=True)
class Templates:
    """The templates of a composition, atoms in the order of the first one.

    Attributes
    ----------
    distances
        Best first, Angstrom, shape ``(k, n, n)``.
    shares
        Likelihoods, sum 1, shape ``(k,)``.
    log_mass
        Logarithm of the likelihood of the first before it was made a share.
    groups
        Space groups, shape ``(k,)``.
    """

    distances: Floats
    shares: Floats
    log_mass: float
    groups: Integers

    def pair_channels(self, numbers: Integers) -> Floats:
        """Describe each pair of atoms, shape ``(n, n, PAIR_CHANNELS)``."""
        first = self.distances[0]
        width = CENTRES[1] - CENTRES[0]
        near = np.maximum(0.0, 1 - np.abs(self.distances[..., None] - CENTRES) / width)
        mean = np.tensordot(self.shares, self.distances, 1)
        spread = np.sqrt(np.tensordot(self.shares, (self.distances - mean) ** 2, 1))
        covalent = covalent_contacts(self.distances, numbers[None]).astype(np.float64)
        vesta = vesta_contacts(self.distances, numbers[None]).astype(np.float64)
        single = [
            first / DISTANCE_UNIT,
            mean / DISTANCE_UNIT,
            spread,
            covalent[0],
            np.tensordot(self.shares, covalent, 1),
            vesta[0],
            np.tensordot(self.shares, vesta, 1),
        ]
        histogram = np.tensordot(self.shares, near, 1)
        return np.concatenate([histogram, np.stack(single, axis=-1)], axis=-1)

    def crystal_channels(self) -> Floats:
        """Describe how sure the bank is, shape ``(CRYSTAL_CHANNELS,)``."""
        second = self.shares[1] if len(self.shares) > 1 else 0.0
        return np.array([1.0, self.shares[0], second, self.log_mass / 10])


def find_templates(bank: Bank, numbers: Integers, without: str | None = None) -> Templates | None:
    """Find the likeliest crystals with the atoms of a cell; None if the bank has none.

    Parameters
    ----------
    bank
        The bank.
    numbers
        Atomic numbers of the primitive cell in the order of `atom_order`, shape ``(n,)``.
    without
        Reduced formula of decorations that are to be ignored.
    """
    composition = dict(Counter(numbers.tolist()))
    query = Query(bank, composition, n_atoms=[len(numbers)], without=without)
    kinds = kinds_of(numbers)
    matrices: list[Floats] = []
    logs: list[float] = []
    groups: list[int] = []
    for candidate in query.best(N_TEMPLATES):
        crystal = bank.decorated(candidate.prototype, candidate.elements, candidate.volume)
        cell = primitive_cell(crystal)
        if len(cell[2]) != len(numbers):
            continue
        distances = cell_distances(cell)
        order = atom_order(cell[2], distances)
        distances = np.ascontiguousarray(distances[order][:, order])
        if matrices:
            order = align(matrices[0], distances, kinds, STARTS)
            distances = distances[order][:, order]
        matrices.append(distances)
        logs.append(candidate.log_likelihood)
        groups.append(crystal.number)
    if not matrices:
        return None
    weights = np.exp(np.array(logs) - max(logs))
    return Templates(
        np.array(matrices), weights / weights.sum(), float(query.mass.max()), np.array(groups)
    )
