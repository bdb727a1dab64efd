"""From what a source says to a structure: one function builds, and refuses what is no crystal."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from screening.elements import column, symbols
from screening.readers import limits

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import ArrayLike, NDArray
    from pymatgen.core import Structure

FULL = 0.005
"""Occupancies within this of 1 are 1: thirds are written as 0.333."""
_SYMBOL = re.compile(r"([A-Za-z]{1,2})(?:\d+[+-]?|[+-]\d*)?")
DEUTERIUM = "D (deuterium) read as H"
_ISOTOPES = {"D": "H"}
_SCATTERING = {"Cval": "C", "Siva": "Si", "Sival": "Si"}
"""Types of the International Tables, volume C, that are elements under another name."""


@dataclass(frozen=True)
class ReadStructure:
    """One structure of a file, or why it cannot be used.

    Attributes
    ----------
    label
        File, and the place inside it.
    structure
        The structure, or None.
    reason
        Why there is none.
    notes
        What was read otherwise than it is written: isotopes, origins.
    """

    label: str
    structure: Structure | None = None
    reason: str | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class RawCrystal:
    """What a source says, before it is checked; nothing else is taken from it.

    Attributes
    ----------
    lattice
        Row vectors (Angstrom), shape ``(3, 3)``.
    species
        Symbol -> occupancy of each site, as written.
    frac_coords
        Fractional coordinates, shape ``(n, 3)``.
    notes
        What was read otherwise than it is written.
    """

    lattice: NDArray[np.float64]
    species: Sequence[Mapping[str, float]]
    frac_coords: NDArray[np.float64]
    notes: tuple[str, ...] = ()

    @classmethod
    def of(cls, lattice: ArrayLike, species: Sequence[Any], coords: ArrayLike) -> RawCrystal:
        """Take lattice, symbols or shares of symbols, and fractional coordinates.

        Raises
        ------
        ValueError
            If the shapes do not fit each other.
        """
        matrix = np.asarray(lattice, dtype=float)
        positions = np.asarray(coords, dtype=float)
        if matrix.shape != (3, 3):
            raise ValueError(f"has a lattice of shape {matrix.shape}, not (3, 3)")
        if not len(species):
            raise ValueError("holds no atoms")
        if positions.shape != (len(species), 3):
            raise ValueError(f"has coordinates of shape {positions.shape} for {len(species)} sites")
        shares = [dict(item) if isinstance(item, dict) else {str(item): 1.0} for item in species]
        return cls(matrix, shares, positions)


@cache
def _elements() -> frozenset[str]:
    return frozenset(symbols()) - {""}


def element_of(text: str) -> str | None:
    """Read an element out of a symbol with a charge or number: ``Fe3+``, ``O2-``, ``LI``, ``Cs1``.

    Returns
    -------
    The symbol, H to Lr, hydrogen for deuterium; None for anything else (``Wat``, ``Vac``, ``X``).
    """
    name = text.partition(",")[0].strip()  # pymatgen writes Fe2+,spin=4
    name = _SCATTERING.get(name, name)
    match = _SYMBOL.fullmatch(name)
    symbol = match.group(1).title() if match else ""
    symbol = _ISOTOPES.get(symbol, symbol)
    return symbol if symbol in _elements() else None


def is_isotope(text: str) -> bool:
    """Tell whether a symbol names deuterium, which `element_of` reads as hydrogen."""
    match = _SYMBOL.fullmatch(text.strip())
    return bool(match) and match.group(1) in _ISOTOPES  # type: ignore[union-attr]


def read_one(label: str, build: Callable[[], RawCrystal | Structure]) -> ReadStructure:
    """Build one structure and refuse what the platform cannot use.

    Parameters
    ----------
    label
        Where it comes from.
    build
        Says what the source holds; whatever it raises is the reason why there is none.

    Returns
    -------
    The structure without oxidation states, spins and properties, or the reason.
    """
    try:
        with limits.time_limit():
            read = build()
            raw = read if isinstance(read, RawCrystal) else raw_of(read)
            structure = build_structure(raw)
            reason = _bad_geometry(structure)
    except Exception as error:  # noqa: BLE001 - parsers raise anything on broken content
        return ReadStructure(label, reason=because(error))
    if reason:
        return ReadStructure(label, reason=reason)
    notes = set(raw.notes)
    if any(is_isotope(name) for site in raw.species for name in site):
        notes.add(DEUTERIUM)
    return ReadStructure(label, structure, notes=tuple(sorted(notes)))


def raw_of(structure: Structure) -> RawCrystal:
    """Take lattice, species and coordinates out of a pymatgen structure."""
    species: list[dict[str, float]] = []
    for site in structure:
        shares: dict[str, float] = {}
        for kind, share in site.species.items():  # two charges of one element add up
            shares[kind.symbol] = shares.get(kind.symbol, 0.0) + share
        species.append(shares)
    return RawCrystal.of(structure.lattice.matrix, species, structure.frac_coords)


def build_structure(raw: RawCrystal) -> Structure:
    """Make an ordered structure of elements; the one place where foreign content becomes one.

    Raises
    ------
    ValueError
        If there are too many atoms, partly occupied sites, symbols that are no element, or numbers
        that are not finite.
    """
    from pymatgen.core import Lattice, Structure

    if len(raw.species) > limits.MAX_ATOMS:
        raise ValueError(f"has {len(raw.species)} atoms, at most {limits.MAX_ATOMS} are read")
    names = [_only_element(site) for site in raw.species]
    if not (np.isfinite(raw.lattice).all() and np.isfinite(raw.frac_coords).all()):
        raise ValueError("has numbers that are not finite")
    if np.abs(raw.frac_coords).max() > limits.FARTHEST:
        raise ValueError(f"has an atom more than {limits.FARTHEST:g} cells away")
    return Structure(Lattice(raw.lattice), names, raw.frac_coords)


def _only_element(site: Mapping[str, float]) -> str:
    """Find the one element that fills a site; charges of one element may differ."""
    shares: dict[str, float] = {}
    for name, share in site.items():
        element = element_of(name)
        if element is None:
            raise ValueError(f"holds {limits.excerpt(name)}: not among the elements H to Lr")
        shares[element] = shares.get(element, 0.0) + float(share)
    if len(shares) != 1 or abs(sum(shares.values()) - 1.0) > FULL:
        raise ValueError("has partly occupied sites")
    return next(iter(shares))


def _bad_geometry(structure: Structure) -> str | None:
    """Find cells and positions that make no crystal."""
    n_atoms, volume = len(structure), structure.volume
    if volume < limits.SHORTEST**3 * n_atoms:
        return f"has a cell of {volume:.3g} Angstrom^3 for {n_atoms} atoms"
    low, high = limits.LENGTHS
    outside = [length for length in structure.lattice.abc if not low <= length <= high]
    if outside:
        return f"has a cell of length {outside[0]:.3g}: lengths are {low:g} to {high:g} Angstrom"
    if volume > limits.LARGEST_VOLUME * n_atoms:
        return (
            f"has {volume / n_atoms:.3g} Angstrom^3 for each atom: the emptiest crystals have "
            f"less than {limits.LARGEST_VOLUME:g}"
        )
    radii = np.nan_to_num(column("covalent_radius")[list(structure.atomic_numbers)])
    spheres = (4 / 3 * np.pi * radii**3).sum()
    if spheres > limits.DENSEST * volume:
        return (
            f"has {volume / n_atoms:.3g} Angstrom^3 for each atom: too dense by far for "
            f"{structure.composition.reduced_formula}"
        )
    if _closest(structure) < limits.SHORTEST:
        return f"has atoms closer than {limits.SHORTEST} Angstrom"
    return None


def _closest(structure: Structure) -> float:
    """Shortest distance (Angstrom) below `SHORTEST`, else infinity; linear in the atoms."""
    from pymatgen.core import Structure

    # the search takes time with the extent of the coordinates: atoms go into one cell first
    within = Structure(structure.lattice, structure.species, structure.frac_coords % 1.0)
    distances = within.get_neighbor_list(limits.SHORTEST)[3]
    return float(min(distances, default=np.inf))


def because(error: BaseException) -> str:
    """Say in one line why something could not be read."""
    if isinstance(error, RecursionError):
        return "is nested too deep"
    if isinstance(error, MemoryError):
        return "does not fit into the memory"
    text = limits.excerpt(str(error), 300)
    if isinstance(error, KeyError):
        return f"has no {text}"
    return text or f"is unreadable ({type(error).__name__})"
