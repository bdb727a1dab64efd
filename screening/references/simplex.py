"""The lowest energy of a mixture of phases at one composition, by the simplex method.

The linear programme has one row for each element and one column for each phase (Akbarzadeh et al.
2007, doi:10.1002/adma.200700843). It is tiny, and the pure elements are a feasible start, so that a
general solver spends most of its time on the way to it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from screening.errors import ScreeningError

if TYPE_CHECKING:
    from numpy.typing import NDArray

TOLERANCE = 1e-9
"""A phase must lower the energy by more than this to enter (eV/atom)."""
PIVOT = 1e-11
"""Smallest pivot, and smallest share of a phase that is named (atomic fraction)."""
PATIENCE = 200
"""Steps by the steepest descent; then Bland's rule, which never cycles."""
MAX_STEPS = 10_000


def lowest_mixture(
    fractions: NDArray[np.float64], energies: NDArray[np.float64], point: NDArray[np.float64]
) -> tuple[float, NDArray[np.int64], NDArray[np.float64]]:
    """Find the mixture of phases with the lowest energy.

    Parameters
    ----------
    fractions
        Atomic fractions of k phases, shape ``(k, d)``.
    energies
        Formation energies (eV/atom), shape ``(k,)``; that of each element is 0.
    point
        Atomic fractions of the mixture, shape ``(d,)``, all above 0.

    Returns
    -------
    energy
        Formation energy of the mixture (eV/atom).
    phases
        Phases in it, at most d; ``-1 - i`` is the pure element i.
    shares
        Atomic fraction of each.
    """
    d = len(point)
    columns = np.concatenate([np.eye(d), fractions])
    costs = np.concatenate([np.zeros(d), energies])
    basis = np.arange(d)
    inverse = np.eye(d)
    shares = point.astype(np.float64)
    for step in range(MAX_STEPS):
        reduced = costs - columns @ (inverse @ costs[basis])
        entering = int(reduced.argmin())
        if reduced[entering] >= -TOLERANCE:
            break
        if step >= PATIENCE:
            entering = int(np.flatnonzero(reduced < -TOLERANCE)[0])
        direction = columns[entering] @ inverse
        ratios = np.full(d, np.inf)
        np.divide(shares, direction, out=ratios, where=direction > PIVOT)
        tied = np.flatnonzero(ratios <= ratios.min() + PIVOT)
        leaving = int(tied[basis[tied].argmin()])
        basis[leaving] = entering
        inverse = np.linalg.inv(columns[basis])
        shares = np.clip(point @ inverse, 0.0, None)
    else:
        raise ScreeningError(f"no lowest mixture at {point.tolist()} after {MAX_STEPS} steps")
    used = np.flatnonzero(shares > PIVOT)
    phases = np.where(basis < d, -1 - basis, basis - d)[used]
    return float(costs[basis] @ shares), phases, shares[used]
