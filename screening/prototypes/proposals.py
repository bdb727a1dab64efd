"""All candidates of a composition with what is known of each, for the ranking."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from screening.crystal.crystals import primitive_cell
from screening.crystal.distances import MIN_CONTACT, closest_contact, covalent_radii, fingerprint
from screening.prototypes.ordered_derivatives import (
    Pair,
    colourings,
    likely_pairs,
    site_permutations,
)
from screening.prototypes.retrieval import Query

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from screening.crystal.crystals import Cell, Crystal
    from screening.prototypes.bank import Bank
    from screening.prototypes.retrieval import Candidate

Floats = NDArray[np.float64]

N_RETRIEVED = 80
N_RECOLOURED = 60
_SHARE = 0.05
"""Likelihood that a recoloured framework at no cost has beside all retrieved candidates."""
_DECAY = 2.0
"""Its decay with the cost."""
_MIN_CELL_SHARE = 0.02
_REACH = 1.5
N_ORDERED = 60
_PAIRS, _PARENTS, _WAYS = 5, 10, 6
"""Pairs of elements that may share sites, parents of each, ways to share them of each."""
_ORDERED_SHARE, _UNLIKE = 0.1, 0.5
"""Likelihood that all derivatives have beside all retrieved candidates, if the two elements are the
same, and its decay with their distance.
"""


class Way(IntEnum):
    """How a candidate comes from its prototype.

    Attributes
    ----------
    RETRIEVED
        Elements on the classes of a prototype with the same stoichiometry.
    RECOLOURED
        Elements across the classes of any prototype.
    ORDERED
        Two elements share the sites of one (`screening.prototypes.ordered_derivatives`).
    """

    RETRIEVED = 0
    RECOLOURED = 1
    ORDERED = 2


@dataclass(frozen=True)
class Sharing:
    """Two elements on the sites of one.

    Attributes
    ----------
    pair
        The elements.
    equivalents
        In how many equivalent ways the sites can be shared like this.
    place
        Place among all ways of the parent, the most symmetric first.
    """

    pair: Pair
    equivalents: int
    place: int


@dataclass(frozen=True)
class Proposed:
    """One candidate before it is ranked.

    Attributes
    ----------
    prototype
        Index in the bank.
    way
        How it comes from the prototype.
    crystal, cell
        The crystal, or the parent of an ordered one, and the atoms of its primitive cell.
    log_share
        Logarithm of the likelihood that retrieval gives it; of a guess if it was not retrieved.
    nearest
        Decoration (index in the bank) that supports it most.
    known
        Whether that is the target itself.
    contact
        Smallest distance over the sum of the covalent radii, at most 1.5.
    sharing
        The two elements that share sites, of an ordered one.
    """

    prototype: int
    way: Way
    crystal: Crystal
    cell: Cell
    log_share: float
    nearest: int
    known: bool
    contact: float
    sharing: Sharing | None = None


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
    proposed += _ordered(bank, wanted)
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
                way=Way.RETRIEVED,
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
                    way=Way.RECOLOURED,
                    crystal=crystal,
                    cell=cell,
                    log_share=float(np.log(share)) - _DECAY * found.cost,
                    nearest=bank.recolourings.nearest(found, without=wanted.without),
                    known=False,
                    contact=contact,
                )


def _ordered(bank: Bank, wanted: _Wanted) -> list[Proposed]:
    """Collect derivatives in which two elements share the sites of one; the likeliest few."""
    found = [
        item
        for pair in likely_pairs(wanted.unit, bank.model, _PAIRS)
        for parent in _parents(bank, wanted, pair)
        for item in _derivatives(bank, wanted, pair, parent)
    ]
    found.sort(key=lambda item: -item.log_share)
    return found[:N_ORDERED]


def _parents(bank: Bank, wanted: _Wanted, pair: Pair) -> list[Candidate]:
    """Candidates of the composition in which the host has the place of both."""
    merged = {z: n for z, n in wanted.unit.items() if z != pair.guest}
    merged[pair.host] += wanted.unit[pair.guest]
    query = Query(bank, merged, n_atoms=wanted.cells, without=wanted.without)
    return query.best(_PARENTS)


def _derivatives(bank: Bank, wanted: _Wanted, pair: Pair, parent: Candidate) -> Iterator[Proposed]:
    host, guest = bank.element_volumes[[pair.host, pair.guest]]
    crystal = bank.decorated(parent.prototype, parent.elements, parent.volume)
    unit = sum(wanted.unit.values())
    own = sum(bank.element_volumes[z] * n for z, n in wanted.unit.items())
    grown = own / (own + (host - guest) * wanted.unit[pair.guest])
    crystal = crystal.scaled(wanted.volume or parent.volume * grown)
    lattice, points, numbers = primitive_cell(crystal)
    if len(numbers) not in wanted.cells or len(numbers) % unit:
        return
    sites = np.flatnonzero(numbers == pair.host)
    guests = wanted.unit[pair.guest] * (len(numbers) // unit)
    ways, equivalents = colourings(site_permutations(crystal, sites), guests, _WAYS)
    share = np.log(_ORDERED_SHARE) + parent.log_likelihood - _UNLIKE * pair.distance
    for place, (way, size) in enumerate(zip(ways, equivalents.tolist(), strict=True)):
        elements = numbers.copy()
        elements[sites[way]] = pair.guest
        cell = (lattice, points, elements)
        contact = _contact(cell)
        if contact >= MIN_CONTACT:
            yield Proposed(
                parent.prototype,
                way=Way.ORDERED,
                crystal=crystal,
                cell=cell,
                log_share=float(share) - float(np.log1p(place)),
                nearest=parent.nearest,
                known=False,
                contact=contact,
                sharing=Sharing(pair, size, place),
            )


def _contact(cell: Cell) -> float:
    lattice, points, numbers = cell
    return closest_contact(lattice, points, covalent_radii()[numbers], _REACH)
