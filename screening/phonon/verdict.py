"""Dynamic stability from frequencies, with what decided.

Three kinds of q-points count differently. At those commensurate with the supercell the frequencies
are those of the computed forces. Elsewhere they are interpolated, so that a dip there alone says
that the supercell is too small to tell. Next to Gamma, at wavelengths longer than the supercell,
the interpolated acoustic branches carry no information at all, and are left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from screening.schemas.phonon import PhononVerdict

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from screening.phonon.options import PhononOptions


@dataclass(frozen=True)
class Judgement:
    """A verdict, the lowest frequency (THz) and its q-point (fractions)."""

    verdict: PhononVerdict
    reason: str
    min_frequency: float
    qpoint: list[float]


def judge(
    exact: tuple[NDArray[np.float64], NDArray[np.float64]],
    interpolated: tuple[NDArray[np.float64], NDArray[np.float64]],
    reciprocal: NDArray[np.float64],
    options: PhononOptions,
) -> Judgement:
    """Judge dynamic stability.

    Parameters
    ----------
    exact
        Commensurate q-points ``(nq, 3)``, Gamma among them, and the lowest frequency at each
        ``(nq,)`` (THz).
    interpolated
        The same for mesh and band path.
    reciprocal
        Reciprocal vectors as rows (1/Angstrom).
    options
        The tolerances.
    """
    zone = _resolution(exact[0], reciprocal)
    beyond = _distance_to_gamma(interpolated[0], reciprocal) > zone
    q_exact, lowest_exact = _lowest(exact[0], exact[1])
    q_between, lowest_between = _lowest(interpolated[0][beyond], interpolated[1][beyond])
    tolerance, marginal = options.tolerance, options.marginal_tolerance
    where = f"{lowest_exact:.2f} THz at q = {_write(q_exact)}"
    if lowest_exact < -marginal:
        verdict, reason = PhononVerdict.UNSTABLE, f"imaginary mode, {where}"
    elif lowest_exact < -tolerance:
        verdict = PhononVerdict.MARGINAL
        reason = f"weak imaginary mode, {where}, within the marginal tolerance"
    elif lowest_between < -tolerance:
        verdict = PhononVerdict.MARGINAL
        reason = (
            f"imaginary mode only where it is interpolated, {lowest_between:.2f} THz at q = "
            f"{_write(q_between)}: a larger supercell decides"
        )
    else:
        verdict, reason = PhononVerdict.STABLE, f"no imaginary mode beyond {tolerance} THz"
    if lowest_between < lowest_exact:
        return Judgement(verdict, reason, lowest_between, q_between)
    return Judgement(verdict, reason, lowest_exact, q_exact)


def _lowest(
    qpoints: NDArray[np.float64], frequencies: NDArray[np.float64]
) -> tuple[list[float], float]:
    if not len(frequencies):
        return [0.0, 0.0, 0.0], np.inf
    index = int(frequencies.argmin())
    return [float(x) for x in np.round(qpoints[index], 6)], float(frequencies[index])


def _distance_to_gamma(
    qpoints: NDArray[np.float64], reciprocal: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Distance to the nearest Gamma point (1/Angstrom), shape ``(nq,)``."""
    shifts = np.array(np.meshgrid(*[[-1, 0, 1]] * 3)).reshape(3, -1).T
    inside = qpoints - np.rint(qpoints)
    vectors = (inside[:, None] + shifts) @ reciprocal
    distances: NDArray[np.float64] = np.linalg.norm(vectors, axis=2).min(axis=1)
    return distances


def _resolution(exact: NDArray[np.float64], reciprocal: NDArray[np.float64]) -> float:
    """Half the distance from Gamma to the nearest commensurate point (1/Angstrom)."""
    distances = _distance_to_gamma(exact, reciprocal)
    others = distances[distances > 1e-6]
    return float(others.min()) / 2 if len(others) else np.inf


def _write(qpoint: list[float]) -> str:
    return "(" + ", ".join(f"{x:g}" for x in np.round(qpoint, 3)) + ")"
