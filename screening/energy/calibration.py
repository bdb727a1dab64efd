"""Calibration of uncertainties on formulas that were not trained on.

Split conformal prediction with normalised residuals (Lei et al. 2018,
doi:10.1080/01621459.2017.1307116): whatever the network's spread is worth, an interval covers what
it says on new formulas of the same kind.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np

from screening.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

MIN_ROWS = 50
_ONE_SIGMA = 0.6827


@dataclass(frozen=True)
class Calibration:
    """Factors on the raw spread of a model, for one reference.

    Attributes
    ----------
    scale
        Makes the spread a standard deviation: 68.27 % of the errors lie within it.
    lower, upper
        Ends of the 90 % interval in units of the raw spread, below and above the mean.
    """

    scale: float
    lower: float
    upper: float

    @classmethod
    def fit(cls, errors: NDArray[np.floating], spread: NDArray[np.floating]) -> Self:
        """Fit to signed errors (truth minus mean) and raw spreads (eV/atom), each ``(n,)``.

        Raises
        ------
        InputError
            If there are fewer than 50 rows.
        """
        n = len(errors)
        if n < MIN_ROWS:
            raise InputError(
                f"{n} formulas are too few to calibrate uncertainties: at least {MIN_ROWS} are "
                "needed; give more data or a larger calibration_fraction"
            )
        ratio = np.sort(errors / spread)
        k = int(np.floor(0.05 * (n + 1))) - 1  # conformal ranks for finite samples
        return cls(
            scale=float(np.quantile(np.abs(ratio), _ONE_SIGMA)),
            lower=float(ratio[max(k, 0)]),
            upper=float(ratio[min(n - 1 - k, n - 1)]),
        )

    def array(self) -> NDArray[np.float32]:
        """``(scale, lower, upper)``, for the checkpoint."""
        return np.array([self.scale, self.lower, self.upper], dtype=np.float32)
