"""Crystals of a CIF: sites, their images, and what the file says of itself."""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from screening.elements import symbols
from screening.readers import limits
from screening.readers.cif_statements import Statements
from screening.readers.cif_symmetry import settings_of
from screening.readers.cif_syntax import blocks_of, number_of
from screening.readers.crystal import (
    FULL,
    RawCrystal,
    ReadStructure,
    because,
    build_structure,
    element_of,
    read_one,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from screening.readers.cif_symmetry import Setting
    from screening.readers.cif_syntax import CifBlock

LENGTHS = ("_cell_length_a", "_cell_length_b", "_cell_length_c")
ANGLES = ("_cell_angle_alpha", "_cell_angle_beta", "_cell_angle_gamma")
PLACES = ("_atom_site_fract_x", "_atom_site_fract_y", "_atom_site_fract_z")
MULTIPLICITIES = ("_atom_site_site_symmetry_multiplicity", "_atom_site_symmetry_multiplicity")
SAME = 0.05
"""Images of one site closer than this (Angstrom) are one atom on a symmetry element."""


def read_cif(file: Path) -> Iterator[ReadStructure]:
    """Read every block that holds atoms; databases add blocks that hold only texts.

    Parameters
    ----------
    file
        A CIF.

    Yields
    ------
    A crystal for each block, in the cell of the file, or why there is none.
    """
    try:
        with limits.time_limit():
            blocks = blocks_of(limits.read_text(file))
    except Exception as error:  # noqa: BLE001 - named and left out, as any broken content
        yield ReadStructure(str(file), reason=because(error))
        return
    held = [b for b in blocks if any(name.startswith("_atom_site_") for name in b.values)]
    if not held:
        yield ReadStructure(str(file), reason="holds no block with atoms")
    for block in held:
        label = f"{file}#{limits.excerpt(block.name)}" if len(held) > 1 else str(file)
        yield read_one(label, partial(crystal_of, block))


def crystal_of(block: CifBlock) -> RawCrystal:
    """Read the crystal of a block, in the setting and with the origin that the block means.

    Raises
    ------
    ValueError
        If something is missing, or what the block says of itself contradicts what is read.
    """
    if (block.number("_cell_modulation_dimension") or 0) > 0:
        raise ValueError("is a modulated structure")
    statements = Statements.of(block)
    lattice = _lattice(block)
    sites = _Sites.of(block, statements.elements)
    settings = settings_of(block, lattice)
    read: dict[str, RawCrystal] = {}
    reasons: list[str] = []
    for setting in settings:
        try:
            raw = sites.expand(lattice, setting)
            statements.check(raw, setting)
            read[setting.name] = raw
        except ValueError as error:
            reasons.append(str(error))
    if not read:
        raise ValueError(reasons[0])
    name, raw = _possible(read)
    notes = [setting.note for setting in settings if setting.note]
    if len(settings) > 1:
        notes.append(f"read as {name}, the only setting that fits the rest of the file")
    return RawCrystal(raw.lattice, raw.species, raw.frac_coords, (*raw.notes, *notes))


def _possible(read: dict[str, RawCrystal]) -> tuple[str, RawCrystal]:
    """Choose between origins that nothing in the file excludes: by geometry, or not at all."""
    if len(read) == 1:
        return next(iter(read.items()))
    structures = {name: build_structure(raw) for name, raw in read.items()}
    possible = {
        name: structure
        for name, structure in structures.items()
        if structure.is_valid(tol=limits.SHORTEST)
    }
    if len(possible) == 1:
        name = next(iter(possible))
        return name, read[name]
    cells = " or ".join(
        f"{structure.composition.formula} ({name})" for name, structure in possible.items()
    )
    raise ValueError(
        f"names no origin and lists no operations: it may be {cells or 'nothing'}; write the "
        "origin behind the symbol, or the operations"
    )


def _lattice(block: CifBlock) -> NDArray[np.float64]:
    """Cell of a block; angles that are not given are 90 degrees, as the dictionary says."""
    from pymatgen.core import Lattice

    lengths = [block.number(name) for name in LENGTHS]
    angles = [block.number(name) for name in ANGLES]
    if None in lengths:
        raise ValueError(f"has no {LENGTHS[lengths.index(None)]}")
    if not all(length and length > 0 for length in lengths):
        raise ValueError("has a cell with a length that is not positive")
    alpha, beta, gamma = (90.0 if angle is None else angle for angle in angles)
    lattice = Lattice.from_parameters(*lengths, alpha, beta, gamma)
    if not np.isfinite(lattice.matrix).all() or lattice.volume < limits.SHORTEST**3:
        raise ValueError(f"has angles of {alpha:g}, {beta:g}, {gamma:g} degrees: no cell has them")
    return np.asarray(lattice.matrix, dtype=float)


class _Sites:
    """The listed sites: symbols as written, elements, occupancies, coordinates."""

    def __init__(
        self,
        names: list[str],
        shares: list[float],
        coords: NDArray[np.float64],
        multiplicities: list[float | None],
    ) -> None:
        self.names, self.shares, self.coords = names, shares, coords
        self.multiplicities = multiplicities

    @classmethod
    def of(cls, block: CifBlock, elements: frozenset[str]) -> _Sites:
        """Read the sites; those that are empty or dummies are left out."""
        labels = block.column("_atom_site_label")
        types = block.column("_atom_site_type_symbol")
        columns = [block.column(name) for name in PLACES]
        if any(column is None for column in columns) or not (labels or types):
            raise ValueError("has no fractional coordinates" if labels or types else "has no atoms")
        n = len(types or labels or [])
        occupancies = block.column("_atom_site_occupancy") or ["1"] * n
        flags = block.column("_atom_site_calc_flag") or [""] * n
        counts = block.column(*MULTIPLICITIES) or ["?"] * n
        lengths = {n, len(occupancies), len(counts), *(len(c) for c in columns if c is not None)}
        if len(lengths) > 1:
            raise ValueError("has columns of different lengths in its list of atoms")
        names, shares, positions, multiplicities = [], [], [], []
        rows = zip(*(c for c in columns if c is not None), strict=True)
        for k, row in enumerate(rows):
            share = 1.0 if occupancies[k] in {"?", "."} else number_of(occupancies[k])
            if flags[k].lower() == "dum" or share == 0:
                continue
            symbol = types[k] if types and types[k] not in {"?", "."} else None
            label = labels[k] if labels else (symbol or "?")
            names.append(symbol or _from_label(label, elements))
            if element_of(names[-1]) is None:
                raise ValueError(f"holds {limits.excerpt(names[-1])!r}, which is no element")
            if "?" in row or "." in row:
                raise ValueError(f"gives no position of {limits.excerpt(label)}")
            shares.append(share)
            multiplicities.append(None if counts[k] in {"?", "."} else number_of(counts[k]))
            positions.append([number_of(text) for text in row])
        if not names:
            raise ValueError("holds no atoms")
        return cls(names, shares, np.array(positions), multiplicities)

    def expand(self, lattice: NDArray[np.float64], setting: Setting) -> RawCrystal:
        """Make all atoms of the cell.

        Raises
        ------
        ValueError
            If there are too many, a site has more or fewer images than the file says, or sites on
            one place are occupied more than fully.
        """
        species: list[dict[str, float]] = []
        positions, owners = np.empty((0, 3)), np.empty(0, dtype=int)
        for k, (name, share) in enumerate(zip(self.names, self.shares, strict=True)):
            orbit = _orbit(self.coords[k], lattice, setting)
            _check_multiplicity(name, self.multiplicities[k], len(orbit), len(setting.rotations))
            twin = owners[_are_near(positions, orbit[0], lattice)]
            if len(twin):
                species[twin[0]][name] = species[twin[0]].get(name, 0.0) + share
                continue
            owners = np.append(owners, np.full(len(orbit), len(species)))
            positions = np.concatenate([positions, orbit])
            species.append({name: share})
            if len(positions) > limits.MAX_ATOMS:
                raise ValueError(f"has more than {limits.MAX_ATOMS} atoms in its cell")
        for site in species:
            if sum(site.values()) > 1 + FULL:
                raise ValueError(
                    f"has occupancies of {sum(site.values()):g} on the place of "
                    f"{' and '.join(map(limits.excerpt, site))}"
                )
        return RawCrystal.of(lattice, [species[owner] for owner in owners], positions)


def _check_multiplicity(name: str, stated: float | None, images: int, n_operations: int) -> None:
    """Compare the multiplicity; SHELXL before 2014 wrote the order of the site symmetry there."""
    if stated is not None and stated not in {images, n_operations / images}:
        raise ValueError(
            f"says that a site of {limits.excerpt(name)} has {stated:g} images, its symmetry makes "
            f"{images}"
        )


def _orbit(
    position: NDArray[np.float64], lattice: NDArray[np.float64], setting: Setting
) -> NDArray[np.float64]:
    """Images of a place, shape ``(m, 3)``; it is moved onto the symmetry elements it lies on.

    The mean over the operations that bring it back within `SAME` is exactly invariant, so that
    rounded coordinates (0.3333) make no doubled atoms.
    """
    images = setting.rotations @ position + setting.translations
    stays = _are_near(images, position, lattice)
    gaps = images[stays] - position
    position = position + (gaps - np.round(gaps)).mean(axis=0)
    images = (setting.rotations @ position + setting.translations) % 1.0
    distinct: list[int] = []
    remaining = np.ones(len(images), dtype=bool)
    while remaining.any():
        distinct.append(int(np.argmax(remaining)))
        remaining &= ~_are_near(images, images[distinct[-1]], lattice)
    return images[distinct]


def _are_near(
    positions: NDArray[np.float64], position: NDArray[np.float64], lattice: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Tell which places, shape ``(n, 3)``, are the same as one, up to `SAME`."""
    gaps = positions - position
    gaps -= np.round(gaps)
    is_same: NDArray[np.bool_] = np.linalg.norm(gaps @ lattice, axis=1) < SAME
    return is_same


def _from_label(label: str, elements: frozenset[str]) -> str:
    """Find the element of a label such as ``Ca1``, ``O1A`` or ``LI2``.

    Parameters
    ----------
    label
        Label of a site without type symbol.
    elements
        Those of the formula that the file gives, deuterium as D; may be empty.

    Raises
    ------
    ValueError
        If it may be two elements (``HO1``: hydrogen or holmium) and nothing decides, or none.
    """
    element_symbols = set(symbols()) | {"D"}
    head = re.match(r"[A-Za-z]*", label.strip())
    letters = head.group() if head else ""
    written = re.match(r"[A-Z][a-z]*", letters)
    word = written.group() if written else letters
    two, initial = letters[:2].title(), letters[:1].upper()
    possible = [
        symbol for symbol in dict.fromkeys((two, initial)) if symbol and symbol in element_symbols
    ]
    if elements & set(possible):
        possible = [symbol for symbol in possible if symbol in elements]
    if len(possible) == 2 and len(word) == 2:  # Ca1 is calcium, CA1 may be carbon
        possible = [two]
    if len(possible) == 2:
        raise ValueError(
            f"has the label {limits.excerpt(label)!r} without a type symbol: it may be {two} or "
            f"{initial}; add _atom_site_type_symbol"
        )
    if not possible or (len(word) > 2 and not elements):
        raise ValueError(f"has the label {limits.excerpt(label)!r}, which names no element")
    return possible[0]
