"""Oxidation-state tables of the rules, indexed by atomic number."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from screening.elements import MAX_Z, atomic_number, column, oxidation_states

if TYPE_CHECKING:
    from numpy.typing import NDArray


DEFAULT_TABLE = "icsd24_filtered"
"""SMACT's own default: ICSD 2024, at least three occurrences."""
MIXED_VALENCE = "Ti V Cr Mn Fe Co Ni Cu Nb Mo Ru Pd Ag Sn Sb Ce Eu Yb W Re Os Au Bi U"
"""Elements that may carry several oxidation states in one compound, as in SMACT 4.0.2."""


class Rules(NamedTuple):
    """One oxidation-state table and what else the rules need, indexed by atomic number.

    Attributes
    ----------
    states
        Ascending distance of each state from the lowest one, shape ``(MAX_Z + 1, s)``; here and
        below -1 ends a row.
    lowest
        Lowest state, shape ``(MAX_Z + 1,)``.
    cations
        Non-negative states, ascending, shape ``(MAX_Z + 1, s)``.
    anions
        Absolute values of the non-positive states, ascending, shape ``(MAX_Z + 1, s)``.
    most_cation, most_anion
        Largest value in a row of `cations` and of `anions`, 0 if it is empty, ``(MAX_Z + 1,)``.
    negativity
        Pauling electronegativity, NaN if unknown, shape ``(MAX_Z + 1,)``.
    is_metal, is_mixed
        Metals, and elements of `MIXED_VALENCE`, shape ``(MAX_Z + 1,)``.
    """

    states: NDArray[np.int64]
    lowest: NDArray[np.int64]
    cations: NDArray[np.int64]
    anions: NDArray[np.int64]
    most_cation: NDArray[np.int64]
    most_anion: NDArray[np.int64]
    negativity: NDArray[np.float64]
    is_metal: NDArray[np.bool_]
    is_mixed: NDArray[np.bool_]


class Options(NamedTuple):
    """The arguments of `balance_codes`; `limit` is infinite for none."""

    pauling: bool
    alloys: bool
    mixed_valence: bool
    limit: float


@cache
def balance_tables(table: str) -> Rules:
    """Lay out an oxidation-state table for compiled code."""
    states = oxidation_states(table)
    width = max(len(row) for row in states) + 1

    def padded(rows: list[list[int]]) -> NDArray[np.int64]:
        return np.array([row + [-1] * (width - len(row)) for row in rows], dtype=np.int64)

    cations = padded([[q for q in row if q >= 0] for row in states])
    anions = padded([sorted(-q for q in row if q <= 0) for row in states])
    is_mixed = np.zeros(MAX_Z + 1, dtype=np.bool_)
    is_mixed[[atomic_number(symbol) for symbol in MIXED_VALENCE.split()]] = True
    return Rules(
        states=padded([[q - row[0] for q in row] for row in states]),
        lowest=np.array([row[0] if row else 0 for row in states], dtype=np.int64),
        cations=cations,
        anions=anions,
        most_cation=np.maximum(cations.max(axis=1), 0),
        most_anion=np.maximum(anions.max(axis=1), 0),
        negativity=column("electronegativity").copy(),
        is_metal=column("is_metal") == 1,
        is_mixed=is_mixed,
    )
