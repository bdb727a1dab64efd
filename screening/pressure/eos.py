"""Equations of state: pressure, volume and energy of one crystal under compression.

Birch-Murnaghan of third order (Birch 1947, doi:10.1103/PhysRev.71.809) and Vinet (Vinet et al.
1987, doi:10.1029/JB092iB09p09319). Volumes in Angstrom^3/atom, energies in eV/atom, pressures and
bulk moduli in GPa.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from scipy.optimize import brentq

from screening.engines.base import GPA_PER_EV_A3
from screening.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

Form = Literal["birch-murnaghan", "vinet"]
LARGEST_COMPRESSION = 0.3
"""Smallest V/V0 at which a volume is looked for."""


@dataclass(frozen=True)
class EquationOfState:
    """A crystal's equation of state.

    Attributes
    ----------
    volume
        V0, at no pressure (Angstrom^3/atom).
    bulk_modulus
        B0 (GPa).
    derivative
        B0', its derivative with pressure.
    energy
        Energy at V0 (eV/atom).
    form
        ``birch-murnaghan`` (third order) or ``vinet``.
    """

    volume: float
    bulk_modulus: float
    derivative: float
    energy: float = 0.0
    form: Form = "birch-murnaghan"

    def pressure_at(self, volume: ArrayLike) -> NDArray[np.float64]:
        """Pressure (GPa) at volumes (Angstrom^3/atom)."""
        x = np.asarray(volume, dtype=np.float64) / self.volume
        b0, b1 = self.bulk_modulus, self.derivative
        if self.form == "vinet":
            edge = np.cbrt(x)
            shape = np.exp(1.5 * (b1 - 1) * (1 - edge))
            return np.asarray(3 * b0 * (1 - edge) / edge**2 * shape, dtype=np.float64)
        rise = x ** (-7 / 3) - x ** (-5 / 3)
        bend = 1 + 0.75 * (b1 - 4) * (x ** (-2 / 3) - 1)
        return np.asarray(1.5 * b0 * rise * bend, dtype=np.float64)

    def energy_at(self, volume: ArrayLike) -> NDArray[np.float64]:
        """Energy (eV/atom) at volumes (Angstrom^3/atom).

        Raises
        ------
        InputError
            If this is not a Birch-Murnaghan equation.
        """
        if self.form != "birch-murnaghan":
            raise InputError(f"energies are of the form 'birch-murnaghan', not {self.form!r}")
        x = np.asarray(volume, dtype=np.float64) / self.volume
        strain = (x ** (-2 / 3) - 1) / 2
        scale = 4.5 * self.volume * self.bulk_modulus / GPA_PER_EV_A3
        return self.energy + scale * strain**2 * (1 + (self.derivative - 4) * strain)

    def volume_at(self, pressure: float) -> float:
        """Volume (Angstrom^3/atom) at a pressure (GPa).

        Raises
        ------
        InputError
            If the equation does not reach the pressure.
        """
        low, high = LARGEST_COMPRESSION * self.volume, self.volume
        if pressure < 0 or float(self.pressure_at(low)) < pressure:
            raise InputError(f"{pressure=} GPa is out of the range of this equation of state")
        found: float = brentq(lambda v: float(self.pressure_at(v)) - pressure, low, high)
        return found


def fit_birch_murnaghan(volumes: ArrayLike, energies: ArrayLike) -> EquationOfState:
    """Fit the Birch-Murnaghan equation of third order to energies.

    The energy is a polynomial of third degree in ``V^(-2/3)``, so that the fit is linear.

    Parameters
    ----------
    volumes
        Volumes (Angstrom^3/atom), at least 5, shape ``(n,)``.
    energies
        Energies (eV/atom), shape ``(n,)``.

    Raises
    ------
    InputError
        If there are too few points, or they have no minimum between them.
    """
    v, e = (np.asarray(values, dtype=np.float64) for values in (volumes, energies))
    if v.shape != e.shape or len(np.unique(v)) < 5:
        raise InputError(f"{len(v)} volumes, {len(e)} energies: give at least 5 different points")
    t = v ** (-2 / 3)
    middle, width = t.mean(), np.ptp(t)
    polynomial = np.polynomial.Polynomial.fit((t - middle) / width, e, 3).convert()
    slope, curvature = polynomial.deriv(), polynomial.deriv(2)
    found = [
        float(root.real)
        for root in slope.roots()
        if abs(root.imag) < 1e-9 and curvature(root.real) > 0 and abs(root.real) <= 1
    ]
    if not found:
        raise InputError("the energies have no minimum between these volumes: take others")
    best: float = min(found, key=abs)
    for _ in range(3):  # roots of a cubic that is almost a square are not exact
        best -= slope(best) / curvature(best)
    t0 = best * width + middle
    second, third = curvature(best) / width**2, polynomial.deriv(3)(best) / width**3
    v0 = t0 ** (-3 / 2)
    # with E(t), t = V^(-2/3): B0 = V0 E''(V0) and B0' = 4 + a third-order term
    bulk = 4 / 9 * second * t0 ** (7 / 2)
    derivative = 4 + 2 / 3 * third * t0 / second
    return EquationOfState(
        float(v0), float(bulk * GPA_PER_EV_A3), float(derivative), float(polynomial(best))
    )
