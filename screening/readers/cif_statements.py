"""What a CIF says of its own contents, compared with what was read from it."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from screening.crystal.symmetry_dataset import symmetry_dataset
from screening.elements import atomic_number, column
from screening.readers.cif_symmetry import OPERATIONS, stated_number
from screening.readers.cif_syntax import decimals_of, number_of
from screening.readers.crystal import element_of, is_isotope
from screening.readers.limits import excerpt

if TYPE_CHECKING:
    from collections.abc import Mapping

    from screening.readers.cif_symmetry import Setting
    from screening.readers.cif_syntax import CifBlock
    from screening.readers.crystal import RawCrystal

SHARE = 0.01
"""Largest relative difference of shares, formula units and volumes that is rounding."""
DENSITY = {"_exptl_crystal_density_diffrn": 0.03, "_exptl_crystal_density_meas": 0.2}
"""Largest relative difference of the calculated and of the measured density."""
AVOGADRO = 0.602214076
"""Formula units in an Angstrom^3 times (mol / cm^3)."""
TOLERANCES = (0.001, 0.01, 0.1)
"""Distances (Angstrom) at which a space group may be the one that the file names."""
DEUTERIUM_MASS = 2.014
LAST_GROUP = 230
_PART = re.compile(r"([A-Za-z]{1,2})(\d+(?:\.\d*)?|\.\d+)?")


@dataclass(frozen=True)
class Statements:
    """What a block says of itself.

    Attributes
    ----------
    formula
        Element -> amount of ``_chemical_formula_sum``, deuterium as D; empty if not given.
    units
        Formula units in the cell (Z).
    weight
        Mass of a formula unit (u).
    volume, volume_error
        Volume of the cell (Angstrom^3) and half a unit of its last digit.
    densities
        Density (g/cm^3), its last digit's half unit and its tolerance, by data name.
    hydrogens
        Hydrogen atoms that are attached to sites but have no position.
    number
        Number of the space group.
    is_explicit
        Whether the operations are listed.
    """

    formula: Mapping[str, float] = field(default_factory=dict)
    units: float | None = None
    weight: float | None = None
    volume: float | None = None
    volume_error: float = 0.0
    densities: Mapping[str, tuple[float, float, float]] = field(default_factory=dict)
    hydrogens: float = 0.0
    number: int | None = None
    is_explicit: bool = False

    @classmethod
    def of(cls, block: CifBlock) -> Statements:
        """Read the statements of a block; what cannot be read as its kind is a fault of the file.

        Raises
        ------
        ValueError
            If a number is none.
        """
        volume = block.text("_cell_volume")
        densities = {
            name: (number_of(text), decimals_of(text), tolerance)
            for name, tolerance in DENSITY.items()
            if (text := block.text(name)) is not None and text[:1] not in "<>"
        }
        attached = block.column("_atom_site_attached_hydrogens") or []
        return cls(
            formula=_formula(block.text("_chemical_formula_sum") or ""),
            units=block.number("_cell_formula_units_z"),
            weight=block.number("_chemical_formula_weight"),
            volume=number_of(volume) if volume else None,
            volume_error=decimals_of(volume) if volume else 0.0,
            densities=densities,
            hydrogens=sum(number_of(text) for text in attached if text not in {"?", "."}),
            number=stated_number(block),
            is_explicit=bool(block.column(*OPERATIONS)),
        )

    @property
    def elements(self) -> frozenset[str]:
        """Symbols of the formula, deuterium as D."""
        return frozenset(self.formula)

    def check(self, raw: RawCrystal, setting: Setting) -> None:
        """Compare the statements with the crystal that was read.

        Parameters
        ----------
        raw
            All atoms of the cell.
        setting
            The operations that made them.

        Raises
        ------
        ValueError
            If something does not agree; the message has both values.
        """
        if self.hydrogens > 0:
            raise ValueError(
                f"says that {self.hydrogens:g} hydrogen atoms are attached to its sites, and gives "
                "no positions of them"
            )
        counts = _counts(raw)
        self._check_formula(counts)
        self._check_units(counts)
        self._check_mass(raw)
        self._check_volume(raw)
        if self.is_explicit and self.number is not None:
            self._check_group(self.number, raw, setting)

    def _check_formula(self, counts: Mapping[str, float]) -> None:
        if not self.formula:
            return
        formula = _merged(self.formula)
        shares = [counts[e] / formula[e] for e in formula if counts.get(e)]
        if set(formula) != set(counts) or max(shares) > (1 + SHARE) * min(shares):
            raise ValueError(
                f"says that its formula is {_written(self.formula)}, its atoms are "
                f"{_written(counts)}"
            )

    def _check_units(self, counts: Mapping[str, float]) -> None:
        """Compare Z; programs also write the contents of the whole cell as the formula."""
        units = self.units
        if not units or units < 0:
            return
        if not self.formula:
            if any(abs(n / units - round(n / units)) > SHARE for n in counts.values()):
                raise ValueError(
                    f"says that Z is {units:g}, which does not divide its atoms, {_written(counts)}"
                )
            return
        formula = _merged(self.formula)
        n_units = sum(counts.values()) / sum(formula.values())
        is_cell = abs(n_units - 1) < SHARE and all(
            abs(n / units - round(n / units)) < SHARE for n in formula.values()
        )
        if abs(n_units - units) > SHARE * units and not is_cell:
            raise ValueError(
                f"says that its cell holds {units:g} units of {_written(self.formula)}, its atoms "
                f"make {n_units:g}"
            )

    def _check_mass(self, raw: RawCrystal) -> None:
        mass, volume = _mass(raw), abs(float(np.linalg.det(raw.lattice)))
        density = mass / volume / AVOGADRO
        for name, (stated, error, tolerance) in self.densities.items():
            if stated > 0 and abs(density - stated) > max(error, tolerance * stated):
                raise ValueError(
                    f"says that its density is {stated:g} g/cm^3 ({name.rpartition('_')[2]}), its "
                    f"atoms and cell make {density:.3g}"
                )
        if self.weight and self.units and not self.formula:
            stated = self.weight * self.units
            if abs(mass - stated) > DENSITY["_exptl_crystal_density_diffrn"] * stated:
                raise ValueError(
                    f"says that its cell has a mass of {stated:g} u, its atoms make {mass:g} u"
                )

    def _check_volume(self, raw: RawCrystal) -> None:
        volume = abs(float(np.linalg.det(raw.lattice)))
        stated = self.volume
        if stated and abs(volume - stated) > max(SHARE * stated, self.volume_error):
            raise ValueError(
                f"says that its cell has {stated:g} Angstrom^3, its lengths and angles make "
                f"{volume:.5g}"
            )

    def _check_group(self, number: int, raw: RawCrystal, setting: Setting) -> None:
        """Compare the number; operations of a subgroup may list atoms of a higher symmetry."""
        if not 1 <= number <= LAST_GROUP:
            raise ValueError(f"gives the space group number {number}: there are {LAST_GROUP}")
        listed = setting.number(raw.lattice)
        if listed == number:
            return
        kinds: dict[tuple[str, ...], int] = {}
        numbers = [kinds.setdefault(tuple(site), len(kinds) + 1) for site in raw.species]
        for tolerance in TOLERANCES:
            dataset = symmetry_dataset(raw.lattice, raw.frac_coords, numbers, tolerance)
            if dataset is not None and dataset.number == number:
                return
        raise ValueError(
            f"names space group {number}, its symmetry operations make {listed or 'none'}"
        )


def _formula(text: str) -> dict[str, float]:
    """Read ``Ca H2 O2``; an empty dictionary for what is no formula."""
    words = [word for word in text.split() if not re.fullmatch(r"\d*[+-]", word)]
    matches: list[re.Match[str] | None] = [_PART.fullmatch(word) for word in words]
    if len(words) < 2 and not all(matches):
        terms = list(re.finditer(_PART.pattern.replace("[A-Za-z]{1,2}", "[A-Z][a-z]?"), text))
        is_whole = "".join(term.group() for term in terms) == text
        matches = [*terms] if is_whole else [None]
    amounts: dict[str, float] = {}
    for match in matches:
        symbol = match.group(1).title() if match else "?"
        if match is None or element_of(symbol) is None:
            return {}
        amounts[symbol] = amounts.get(symbol, 0.0) + float(match.group(2) or 1)
    return {symbol: amount for symbol, amount in amounts.items() if amount > 0}


def _merged(formula: Mapping[str, float]) -> dict[str, float]:
    """Add deuterium to hydrogen."""
    merged: Counter[str] = Counter()
    for symbol, amount in formula.items():
        merged[element_of(symbol) or symbol] += amount  # type: ignore[assignment]
    return dict(merged)


def _counts(raw: RawCrystal) -> dict[str, float]:
    """Atoms of each element in the cell."""
    counts: dict[str, float] = {}
    for site in raw.species:
        for name, share in site.items():
            symbol = element_of(name) or name
            counts[symbol] = counts.get(symbol, 0.0) + share
    return {symbol: round(n, 2) for symbol, n in counts.items()}


def _mass(raw: RawCrystal) -> float:
    """Mass of the cell (u)."""
    masses = column("mass")
    return sum(
        share * (DEUTERIUM_MASS if is_isotope(name) else masses[atomic_number(element)])
        for site in raw.species
        for name, share in site.items()
        if (element := element_of(name))
    )


def _written(formula: Mapping[str, float]) -> str:
    """Write a formula as CIFs do."""
    terms = (f"{symbol}{amount:g}" if amount != 1 else symbol for symbol, amount in formula.items())
    return excerpt(" ".join(terms))
