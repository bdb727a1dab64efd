"""Verdicts on packed compositions: codes with reasons and scores, not only a bool.

The rules are those of `smact.screening.smact_validity` in SMACT 4.0.2 (Davies et al. 2019,
doi:10.21105/joss.01361), see `screening.balance`; the oxidation-state tables are frozen in this
package, so that a verdict does not change with somebody else's release. Up to a quarter of the
known metallic compounds break the rules for ions: hence the score beside each verdict, and the
option to accept what is metallic.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from screening.balance import DEFAULT_TABLE, accepted, balance_codes
from screening.errors import InputError
from screening.schemas import ValidityDoc, ValidityReason
from screening.validity.metallicity import metallicity_scores

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from screening.composition import CompositionArray


@dataclass(frozen=True)
class Verdicts:
    """The verdicts on `n` compositions, in their order.

    Attributes
    ----------
    table
        Oxidation-state table.
    codes
        Position in `ValidityReason` of the rule that decided, shape ``(n,)``, uint8.
    metallicity
        Metallicity score from 0 (insulating) to 1 (metallic), shape ``(n,)``, float32.
    """

    table: str
    codes: NDArray[np.uint8]
    metallicity: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.codes)

    @property
    def valid(self) -> NDArray[np.bool_]:
        """Which compositions are accepted, shape ``(n,)``."""
        return accepted(self.codes)

    def reasons(self) -> dict[str, int]:
        """Count the reasons that occur, in the order of `ValidityReason`."""
        counts = np.bincount(self.codes, minlength=len(ValidityReason))
        return {
            str(reason): int(count)
            for reason, count in zip(ValidityReason, counts, strict=True)
            if count
        }

    def document(self, index: int) -> ValidityDoc:
        """Make the document of one composition."""
        reason = list(ValidityReason)[self.codes[index]]
        return ValidityDoc(
            valid=reason.valid,
            reason=reason,
            table=self.table,
            metallicity=float(self.metallicity[index]),
        )


def check_validity(
    compositions: CompositionArray,
    *,
    table: str = DEFAULT_TABLE,
    pauling: bool = True,
    alloys: bool = True,
    mixed_valence: bool = False,
    metallicity_threshold: float | None = None,
    combinations_limit: int | None = None,
) -> Verdicts:
    """Judge compositions by SMACT's rules.

    Parameters
    ----------
    compositions
        Packed compositions, ``n`` rows; they need not be reduced.
    table
        Oxidation-state table (`screening.elements.oxidation_tables`); ``icsd24_filtered`` is the
        default of SMACT.
    pauling
        Ask for electronegativity balance besides neutrality.
    alloys
        Accept compositions of metals only at once.
    mixed_valence
        Let the atoms of one element carry different states where one state per element fails
        (``mixed_valence``); the other reasons stay as they are.
    metallicity_threshold
        Accept what the ions forbid (``metallic``) from this score on; SMACT's
        ``check_metallicity`` uses 0.7. None: the score is reported and decides nothing.
    combinations_limit
        1,000,000 repeats SMACT's refusal to try larger mixed-valence compositions; None gives
        every composition its true verdict.

    Raises
    ------
    InputError
        If there is no such table or the threshold is not from 0 to 1.
    """
    if metallicity_threshold is not None and not 0 <= metallicity_threshold <= 1:
        raise InputError(f"{metallicity_threshold=} must be from 0 to 1")
    codes = balance_codes(
        compositions,
        table=table,
        pauling=pauling,
        alloys=alloys,
        mixed_valence=mixed_valence,
        combinations_limit=combinations_limit,
    )
    scores = metallicity_scores(compositions)
    if metallicity_threshold is not None:
        rescued = ~accepted(codes) & (scores >= metallicity_threshold)
        codes[rescued] = ValidityReason.METALLIC.code
    return Verdicts(table, codes, scores.astype(np.float32))
