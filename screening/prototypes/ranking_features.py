"""What the ranking knows of each candidate, in numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from screening.prototypes.hautier import log_substitution
from screening.prototypes.proposals import Way
from screening.prototypes.retrieval import EQUAL, SIMILARITY, squares_between

if TYPE_CHECKING:
    from screening.crystal.crystals import Crystal
    from screening.prototypes.bank import Bank
    from screening.prototypes.proposals import Candidates, Sharing

Floats = NDArray[np.float64]

FEATURES = 31
"""Columns of `describe`; trees that were fitted on others cannot be used."""
ENERGY_SCALE = 0.03
"""Energy difference (eV/atom) at which a candidate's share counts 1/e beside the lowest one."""
DECIMALS = 9
ENERGY_DECIMALS, SLOPE_DECIMALS = 4, 3
"""Decimals of features, of energies (eV/atom), and of forces (eV/Angstrom) and stresses (GPa)."""
_FLOOR = 1e-9


def start_of(candidates: Candidates) -> Floats:
    """Logarithm of the share of each candidate before the trees, ``(n,)``."""
    shares = np.array([item.log_share for item in candidates.proposed])
    start: Floats = shares - np.logaddexp.reduce(shares)
    return start


def describe(bank: Bank, candidates: Candidates, *, without: str | None = None) -> Floats:
    """Features of each candidate, shape ``(n, f)``; NaN where something is not known.

    Decorations whose formula is `without` are ignored.
    """
    proposed = candidates.proposed
    start = start_of(candidates)
    shares = np.exp(start)
    squares = squares_between(candidates.fingerprints)
    alike = np.exp(-squares / SIMILARITY**2)
    gains = np.log(alike @ shares + _FLOOR)
    ways = np.array([item.way for item in proposed])
    placed = [(item.prototype, item.crystal) for item in proposed]
    costs = bank.recolourings.costs(placed, without)
    templates = np.array([_template(bank, item.prototype, without) for item in proposed])
    groups = np.array([0 if item.sharing else item.crystal.number for item in proposed])
    sizes = np.array([len(item.cell[2]) for item in proposed])
    elements = np.array([len(set(item.cell[2].tolist())) for item in proposed])
    orbits = np.array([len(item.crystal.letters) for item in proposed])
    volumes = np.array([item.crystal.volume_per_atom for item in proposed])
    packing = np.array([bank.element_volumes[item.cell[2]].mean() for item in proposed])
    relative = np.log(volumes / packing)
    nearest = np.array([item.nearest for item in proposed])
    columns: list[Any] = [
        ways,
        start,
        start - start.max(),
        gains,
        gains - gains.max(),
        _ranks(-gains),
        _ranks(-start),
        (squares < EQUAL**2).sum(axis=1),
        *costs.T,
        costs[:, 0] - costs[:, 0].min(),
        *templates.T,
        templates[:, 3] - elements,
        orbits,
        groups,
        sizes,
        elements,
        [item.contact for item in proposed],
        relative,
        relative - shares @ relative,
        np.where(ways != Way.RETRIEVED, np.nan, bank.hulls[nearest]),
        np.log(_mass_of(groups, shares) + _FLOOR),
        np.log(_mass_of(sizes, shares) + _FLOOR),
        [_substitution(bank, item.crystal, item.prototype, item.nearest) for item in proposed],
        np.full(len(proposed), np.log(len(proposed))),
        *np.array([_sharing(item.sharing) for item in proposed]).reshape(-1, 3).T,
    ]
    features = np.stack([np.asarray(column, dtype=np.float64) for column in columns], axis=1)
    return np.round(features, DECIMALS)  # equal candidates are equal to the last digit


def describe_energies(energies: Floats, start: Floats) -> Floats:
    """Features of the energies of some candidates, in steps that rounding errors do not change.

    By symmetry many forces and stresses are zero, and some energies equal, but for the noise of
    single precision, which differs from process to process: trees must not see it.

    Parameters
    ----------
    energies
        Energy (eV/atom), root mean square force (eV/Angstrom), pressure (GPa), anisotropic stress
        (GPa), shape ``(n, 4)``, and energy and pressure after a step of the volume, ``(n, 6)`` in
        all; NaN where there is none.
    start
        Logarithm of the shares of the same candidates.
    """
    energy = energies[:, 4]
    known = np.isfinite(energy)
    above = np.round(energy - (energy[known].min() if known.any() else np.nan), ENERGY_DECIMALS)
    force, pressure, anisotropy, after = np.round(energies[:, [1, 2, 3, 5]], SLOPE_DECIMALS).T
    least = force[known].min() if known.any() else np.nan
    return np.column_stack(
        [
            above,
            np.round(energies[:, 0] - energy, ENERGY_DECIMALS),
            force,
            force - least,
            pressure,
            anisotropy,
            after,
            _ranks(np.where(known, above, np.inf)),
            np.exp(-np.nan_to_num(above, nan=9.0) / ENERGY_SCALE + start),
        ]
    )


def _ranks(values: NDArray[Any]) -> Floats:
    """Places in ascending order, from 0."""
    ranks = np.empty(len(values))
    ranks[np.argsort(values, kind="stable")] = np.arange(len(values))
    return ranks


def _mass_of(labels: NDArray[np.int64], shares: Floats) -> Floats:
    """Sum of the shares of all candidates with the same label."""
    _, inverse = np.unique(labels, return_inverse=True)
    mass: Floats = np.bincount(inverse, weights=shares)[inverse].astype(np.float64)
    return mass


def _template(bank: Bank, prototype: int, without: str | None) -> tuple[float, ...]:
    """Logarithm of the decorations, lowest and mean energy above the hull, number of classes."""
    rows = bank.rows_of(prototype, without=without)
    hulls = np.nan_to_num(bank.hulls[rows].astype(np.float64)) if len(rows) else np.zeros(1)
    classes = int((bank.class_counts[prototype] > 0).sum())
    return float(np.log(len(rows) + 0.5)), float(hulls.min()), float(hulls.mean()), float(classes)


def _sharing(sharing: Sharing | None) -> tuple[float, float, float]:
    """Distance of the elements, logarithm of the equivalent ways, place of this one."""
    if sharing is None:
        return (np.nan, np.nan, np.nan)
    return sharing.pair.distance, float(np.log(sharing.equivalents)), float(sharing.place)


def _substitution(bank: Bank, crystal: Crystal, prototype: int, nearest: int) -> float:
    """Mean logarithm of the substitution probability from the nearest known decoration."""
    orbits = bank.orbits_of(prototype)
    known = bank.elements[nearest][bank.classes[orbits]].astype(np.int64)
    weights = crystal.multiplicities / crystal.multiplicities.sum()
    return float(weights @ log_substitution()[known, crystal.species])
