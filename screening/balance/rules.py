"""The rules of SMACT on packed compositions, without walking through all oxidation states.

A composition is balanced when one oxidation state can be given to each element so that the charges
sum to zero and every cation is less electronegative (Pauling) than every anion: Davies et al. 2016,
doi:10.1016/j.chempr.2016.09.010, as in `smact.screening.smact_validity` of SMACT 4.0.2, Davies
et al. 2019, doi:10.21105/joss.01361. SMACT tries the product of all states. Here the sums that can
be reached are sets of bits, which is exact and has no bad cases: see `screening.balance.kernel`.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from screening.elements import MAX_Z, atomic_number, column, oxidation_states
from screening.schemas import ValidityReason

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from screening.composition import CompositionArray

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
def _rules(table: str) -> Rules:
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


def balance_codes(
    compositions: CompositionArray,
    *,
    table: str = DEFAULT_TABLE,
    pauling: bool = True,
    alloys: bool = True,
    mixed_valence: bool = False,
    combinations_limit: int | None = None,
) -> NDArray[np.uint8]:
    """Judge each composition and say why.

    Single elements pass, then (if `alloys`) compositions of metals only; the rest must be balanced.
    Compositions need not be reduced; an empty row has no oxidation state.

    Parameters
    ----------
    compositions
        Packed compositions, ``n`` rows.
    table
        Oxidation-state table (`screening.elements.oxidation_tables`).
    pauling
        Ask for electronegativity balance besides neutrality.
    alloys
        Accept compositions of metals only at once.
    mixed_valence
        Where one state per element fails, let the atoms of the elements in `MIXED_VALENCE` carry
        different states.
    combinations_limit
        SMACT rejects a composition unseen where mixed valence would have it try more than
        1,000,000 combinations of states; this number repeats that. None, the default, gives
        every composition its true verdict.

    Returns
    -------
    Codes of `ValidityReason`, shape ``(n,)``, uint8. The neutrality that is denied by
    `NOT_NEUTRAL` is that with one state per element, or with several if `mixed_valence`.

    Raises
    ------
    InputError
        If there is no such table.
    """
    from screening.balance.kernel import judge_all

    limit = np.inf if combinations_limit is None else float(combinations_limit)
    options = Options(pauling, alloys, mixed_valence, limit)
    return judge_all(compositions.numbers, compositions.counts, _rules(table), options)


def accepted(codes: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Which codes of `ValidityReason` accept a composition, same shape."""
    table = np.array([reason.valid for reason in ValidityReason])
    mask: NDArray[np.bool_] = table[codes]
    return mask
