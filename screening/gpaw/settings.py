"""What decides a GPAW calculation."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Literal

Spin = Literal["auto", "on", "off"]


@dataclass(frozen=True)
class GpawSettings:
    """Plane waves, k-points and convergence.

    The defaults are those of the VASP calculations, but for the cutoff: GPAW's setups are harder.

    Attributes
    ----------
    xc
        Functional, as libxc or GPAW name it.
    cutoff
        Plane-wave cutoff (eV). The stress of a small basis is wrong (Pulay): at 400 eV relaxed
        oxides and nitrides are several percent too small, see docs/gpaw.md.
    kpoint_density
        k-points per reciprocal volume (1/Angstrom^3), Gamma-centred, as pymatgen counts them.
    smearing
        Width of the Gaussian smearing (eV), VASP's ``ISMEAR = 0``.
    energy_tolerance
        Largest change of the energy in the last electronic steps (eV/valence electron).
    density_tolerance
        Largest change of the density (electrons/valence electron).
    spin
        ``auto``: spin-polarised where an element has a starting moment in the Materials Project's
        settings (most d and f metals) or a site has one.
    """

    xc: str = "PBE"
    cutoff: float = 700.0
    kpoint_density: float = 64.0
    smearing: float = 0.05
    energy_tolerance: float = 1e-5
    density_tolerance: float = 1e-4
    spin: Spin = "auto"

    @property
    def engine(self) -> str:
        """The energy source, as written on documents; energies of two sources never mix."""
        try:
            release = version("gpaw")
        except PackageNotFoundError:
            release = "0"
        return f"gpaw-{release}-{self.xc}-{self.cutoff:g}eV"
