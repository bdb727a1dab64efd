"""Random symmetric crystals: random Wyckoff occupations, free coordinates and cells.

The idea of RandSpg (Avery and Zurek 2017, doi:10.1016/j.cpc.2016.12.005) and pyxtal (Fredericks et
al. 2021, doi:10.1016/j.cpc.2020.107810), in batches: all crystals of a composition are drawn and
checked by one call of compiled code.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from screening.crystal.crystals import Cell, Crystal, reduced_cell, structure_of
from screening.crystal.distances import MIN_CONTACT, covalent_radii
from screening.crystal.space_groups import LETTERS
from screening.crystal.systems import FAMILIES
from screening.crystal.wyckoff_occupations import tables
from screening.identity import derive_seed
from screening.prototypes.bank import Bank
from screening.structure.random.sampling import Drawn, Request, draw, draw_cell
from screening.structure.request import Proposal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from screening.structure.request import Target

Floats = NDArray[np.float64]

_ATTEMPTS_PER_PROPOSAL = 60


def random_cells(system: str, volume: Floats, rng: np.random.Generator) -> Floats:
    """Draw conventional cells of a crystal system.

    Parameters
    ----------
    system
        As in `SpaceGroup.crystal_system`.
    volume
        Volumes (Angstrom^3), shape ``(b,)``.
    rng
        Source of randomness.

    Returns
    -------
    a, b, c (Angstrom), alpha, beta, gamma (degrees), shape ``(b, 6)``.
    """
    cells = np.empty((len(volume), 6))
    for cell, wanted in zip(cells, volume.tolist(), strict=True):
        draw_cell(FAMILIES.index(system), wanted, rng, cell)
    return cells


class Batch:
    """Random crystals of one composition.

    Parameters
    ----------
    drawn
        What compiled code has filled.
    n
        How many crystals there are.
    elements
        Atomic numbers of the request's elements, shape ``(k,)``.
    """

    def __init__(self, drawn: Drawn, n: int, elements: NDArray[np.int64]) -> None:
        self._drawn = drawn
        self._n = n
        self._elements = elements

    def __len__(self) -> int:
        """Return the number of crystals."""
        return self._n

    def crystal(self, index: int) -> Crystal:
        """Space group, cell and orbits of a crystal."""
        drawn, orbits = self._drawn, slice(self._drawn.n_orbits[index])
        return Crystal(
            number=int(drawn.groups[index]) + 1,
            cell=drawn.cells[index],
            letters=drawn.letters[index, orbits],
            species=self._elements[drawn.elements[index, orbits]],
            parameters=drawn.parameters[index, orbits],
        )

    def cell(self, index: int) -> Cell:
        """Atoms of the Niggli-reduced primitive cell; the same as `primitive_cell` gives."""
        drawn, atoms = self._drawn, slice(self._drawn.n_atoms[index])
        numbers = self._elements[drawn.kinds[index, atoms]]
        return reduced_cell((drawn.lattices[index], drawn.points[index, atoms], numbers))


class RandomGenerator:
    """Proposes random crystals in random (or in the predicted) space groups.

    Parameters
    ----------
    min_contact
        Shortest distance that is accepted, in units of the sum of the covalent radii (Cordero).
    per_occupation
        Most crystals that are kept of one choice of Wyckoff positions.
    bank
        Where the volume comes from if the target has none; read when it is first needed.
    space_groups
        Space groups that are drawn, all alike; empty for those of the target, or all.
    """

    name = "random"
    version = "2"

    def __init__(
        self,
        *,
        min_contact: float = MIN_CONTACT,
        per_occupation: int = 1,
        bank: Bank | str = "prototypes",
        space_groups: Sequence[int] = (),
    ) -> None:
        self.min_contact = min_contact
        self.per_occupation = per_occupation
        self.space_groups = tuple(space_groups)
        self._bank = bank

    @cached_property
    def _volumes(self) -> Floats:
        bank = Bank.load(self._bank) if isinstance(self._bank, str) else self._bank
        return bank.element_volumes

    def generate(self, target: Target, n: int, seed: int = 0) -> list[Proposal]:
        """Propose up to `n` crystals in the order in which they were drawn; they have no score.

        Fewer come back if the atoms do not fit: after 60 choices of space group, formula units and
        Wyckoff positions for each crystal that is wanted, the search ends.

        Parameters
        ----------
        target
            Composition and limits; with `symmetry`, only its space groups are drawn, with their
            probabilities.
        n
            Most proposals.
        seed
            Other seeds give other crystals.
        """
        rng = np.random.default_rng(derive_seed(self.name, self.version, target.formula, seed))
        batch = self.draw(target, n, rng)
        return [self._proposal(batch, index) for index in range(len(batch))]

    def draw(self, target: Target, n: int, rng: np.random.Generator) -> Batch:
        """Draw up to `n` crystals without making pymatgen structures of them.

        Parameters
        ----------
        target, n
            As in `generate`.
        rng
            Source of randomness.
        """
        groups, weights = self._groups(target)
        elements = np.array(list(target.composition), dtype=np.int64)
        counts = np.array(list(target.composition.values()), dtype=np.int64)
        volume = target.expected_volume
        if volume is None:
            volume = float(self._volumes[elements] @ counts / counts.sum())
        request = Request(
            groups=groups - 1,
            cumulative=np.cumsum(weights),
            units=np.array(target.allowed_units, dtype=np.int64),
            counts=counts,
            radii=covalent_radii()[elements],
            volume=float(volume),
            least=float(self.min_contact),
            per_occupation=int(self.per_occupation),
        )
        drawn = Drawn.room(n, max(target.allowed_atoms))
        found = draw(tables(), request, rng, _ATTEMPTS_PER_PROPOSAL * n, drawn)
        return Batch(drawn, found, elements)

    def _proposal(self, batch: Batch, index: int) -> Proposal:
        crystal = batch.crystal(index)
        letters = "".join(LETTERS[letter] for letter in crystal.letters)
        return Proposal(
            structure=structure_of(batch.cell(index)),
            template=f"{crystal.number}_{letters}",
            parameters={"space_group": crystal.number, "min_contact": self.min_contact},
        )

    def _groups(self, target: Target) -> tuple[NDArray[np.int64], Floats]:
        """Space groups and their probabilities: those predicted, or all alike."""
        if own := self.space_groups:
            return np.array(own), np.full(len(own), 1 / len(own))
        return _space_groups(target)


def _space_groups(target: Target) -> tuple[NDArray[np.int64], Floats]:
    guesses = target.symmetry.space_groups if target.symmetry else []
    if not any(guess.probability > 0 for guess in guesses):
        return np.arange(1, 231), np.full(230, 1 / 230)
    weights = np.array([guess.probability for guess in guesses])
    return np.array([guess.number for guess in guesses]), weights / weights.sum()
