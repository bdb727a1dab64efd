"""All candidates of a composition with what is known of each, for the ranking."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from screening.structure.crystals import primitive_cell
from screening.structure.distances import MIN_CONTACT, closest_contact, covalent_radii, fingerprint
from screening.structure.retrieval import Query

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from screening.structure.bank import Bank
    from screening.structure.crystals import Cell, Crystal

Floats = NDArray[np.float64]

N_RETRIEVED = 80
N_RECOLOURED = 60
_SHARE = 0.05
"""Likelihood that a recoloured framework at no cost has beside all retrieved candidates."""
_DECAY = 2.0
"""Its decay with the cost."""
_MIN_CELL_SHARE = 0.02
_REACH = 1.5


@dataclass(frozen=True)
class Proposed:
    """One candidate before it is ranked.

    Attributes
    ----------
    prototype
        Index in the bank.
    recoloured
        Whether its elements lie across the classes of the prototype.
    crystal, cell
        The crystal, and the atoms of its primitive cell.
    log_share
        Logarithm of the likelihood that retrieval gives it; of a guess if it is recoloured.
    nearest
        Decoration (index in the bank) that supports it most.
    known
        Whether that is the target itself.
    contact
        Smallest distance over the sum of the covalent radii, at most 1.5.
    """

    prototype: int
    recoloured: bool
    crystal: Crystal
    cell: Cell
    log_share: float
    nearest: int
    known: bool
    contact: float


@dataclass(frozen=True)
class Candidates:
    """Candidates of one composition, and how alike they are.

    Attributes
    ----------
    proposed
        ``n`` candidates.
    fingerprints
        Flat fingerprints, shape ``(n, f)``.
    """

    proposed: list[Proposed]
    fingerprints: Floats

    def __len__(self) -> int:
        return len(self.proposed)


@dataclass(frozen=True)
class _Wanted:
    """The arguments of `find_candidates`; `unit` is the reduced composition."""

    unit: dict[int, int]
    cells: Collection[int]
    volume: float | None
    without: str | None


def find_candidates(
    bank: Bank,
    composition: dict[int, int],
    cells: Collection[int],
    *,
    volume: float | None = None,
    without: str | None = None,
) -> Candidates:
    """Collect the candidates of a composition whose atoms are not too close.

    Parameters
    ----------
    bank
        The bank.
    composition
        Atomic number -> atoms in the formula unit (any multiple).
    cells
        Numbers of atoms that the primitive cell may have.
    volume
        Expected volume (Angstrom^3/atom); without it, each candidate has its own.
    without
        Reduced formula of decorations that are to be ignored.
    """
    divisor = int(np.gcd.reduce(list(composition.values())))
    unit = {z: count // divisor for z, count in composition.items()}
    wanted = _Wanted(unit, cells, volume, without)
    proposed = list(_retrieved(bank, wanted))
    proposed += list(_recoloured(bank, wanted, proposed))
    fingerprints = np.array([fingerprint(*item.cell).ravel() for item in proposed])
    return Candidates(proposed, fingerprints)


def _retrieved(bank: Bank, wanted: _Wanted) -> Iterator[Proposed]:
    """Candidates with the stoichiometry of the target; known crystals of the target first."""
    query = Query(bank, wanted.unit, n_atoms=wanted.cells, without=wanted.without)
    for candidate in query.best(N_RETRIEVED):
        scale = candidate.volume if candidate.known else wanted.volume or candidate.volume
        crystal = bank.decorated(candidate.prototype, candidate.elements, scale)
        cell = primitive_cell(crystal)
        contact = _contact(cell)
        if candidate.known or contact >= MIN_CONTACT:
            yield Proposed(
                candidate.prototype,
                recoloured=False,
                crystal=crystal,
                cell=cell,
                log_share=candidate.log_likelihood,
                nearest=candidate.nearest,
                known=candidate.known,
                contact=contact,
            )


def _recoloured(bank: Bank, wanted: _Wanted, retrieved: list[Proposed]) -> Iterator[Proposed]:
    """Frameworks with elements across classes; a size of cell counts as the retrieved ones say."""
    unit = sum(wanted.unit.values())
    sizes = np.array([len(item.cell[2]) for item in retrieved])
    shares = np.exp([item.log_share for item in retrieved])
    own = sum(bank.element_volumes[z] * n for z, n in wanted.unit.items()) / unit
    for total in sorted(wanted.cells):
        counts = {z: n * total // unit for z, n in wanted.unit.items()}
        weight = float(shares[sizes == total].sum()) if len(wanted.cells) > 1 else 1.0
        limit = int(np.ceil(N_RECOLOURED * max(weight, 1 / len(wanted.cells))))
        for found in bank.recolourings.best(counts, limit, without=wanted.without):
            scale = wanted.volume or own * bank.relative_volumes[found.prototype]
            crystal = bank.crystal(found.prototype).with_species(np.array(found.species))
            crystal = crystal.scaled(scale)
            cell = primitive_cell(crystal)
            contact = _contact(cell)
            if contact >= MIN_CONTACT:
                share = _SHARE * max(weight, _MIN_CELL_SHARE)
                yield Proposed(
                    found.prototype,
                    recoloured=True,
                    crystal=crystal,
                    cell=cell,
                    log_share=float(np.log(share)) - _DECAY * found.cost,
                    nearest=bank.recolourings.nearest(found, without=wanted.without),
                    known=False,
                    contact=contact,
                )


def _contact(cell: Cell) -> float:
    lattice, points, numbers = cell
    return closest_contact(lattice, points, covalent_radii()[numbers], _REACH)
