"""The rules of SMACT on packed compositions, without walking through all oxidation states.

A composition is balanced when one oxidation state can be given to each element so that the charges
sum to zero and every cation is less electronegative (Pauling) than every anion: Davies et al. 2016,
doi:10.1016/j.chempr.2016.09.010, as in `smact.screening.smact_validity` of SMACT 4.0.2, Davies
et al. 2019, doi:10.21105/joss.01361. SMACT tries the product of all states. Here the sums that can
be reached are sets of bits, which is exact and has no bad cases: see `screening.balance.kernel`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from screening.balance.tables import DEFAULT_TABLE, Options, balance_tables
from screening.schemas import ValidityReason

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from screening.composition import CompositionArray


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
    return judge_all(compositions.numbers, compositions.counts, balance_tables(table), options)


def accepted(codes: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Which codes of `ValidityReason` accept a composition, same shape."""
    table = np.array([reason.valid for reason in ValidityReason])
    mask: NDArray[np.bool_] = table[codes]
    return mask
