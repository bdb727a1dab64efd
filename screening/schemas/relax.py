"""How a relaxation went."""

from enum import StrEnum
from typing import Any

from pydantic import Field

from screening.schemas.base import Document


class RelaxState(StrEnum):
    """How a relaxation ended."""

    CONVERGED = "converged"
    NOT_CONVERGED = "not_converged"
    COLLAPSED = "collapsed"
    EXPLODED = "exploded"
    FAILED = "failed"

    @property
    def usable(self) -> bool:
        """Whether the energy may enter a hull."""
        return self in {RelaxState.CONVERGED, RelaxState.NOT_CONVERGED}


def energy_source(engine: str, pressure: float) -> str:
    """Name the source of energies, or, away from 0 GPa, of enthalpies at one pressure.

    Sources with different names never meet on a hull: ``chgnet-0.3.0``, ``chgnet-0.3.0 at 10 GPa``.

    Parameters
    ----------
    engine
        The engine's name on documents.
    pressure
        Pressure of the relaxations (GPa).
    """
    return f"{engine} at {pressure!r} GPa".replace(".0 GPa", " GPa") if pressure else engine


class RelaxationDoc(Document):
    """The result of one relaxation of cell and positions."""

    engine: str = Field(description="Energy source, such as 'chgnet-0.3.0'; never mixed on a hull")
    state: RelaxState = Field(description="How it ended")
    reason: str | None = Field(None, description="Why it is not converged")
    energy: float | None = Field(None, description="Final energy (eV/cell)")
    energy_per_atom: float | None = Field(None, description="Final energy (eV/atom)")
    enthalpy_per_atom: float | None = Field(
        None,
        description="Final enthalpy E + pV at the target pressure (eV/atom); the energy at 0 GPa",
    )
    initial_energy_per_atom: float | None = Field(None, description="Energy before (eV/atom)")
    fmax: float | None = Field(None, description="Largest final force on an atom (eV/Angstrom)")
    max_stress: float | None = Field(None, description="Largest final stress component (GPa)")
    pressure: float = Field(0.0, description="Target pressure (GPa)")
    steps: int = Field(0, description="Evaluations of energy, forces and stress")
    volume_change: float | None = Field(None, description="Final / initial volume - 1")
    symmetry_kept: bool | None = Field(None, description="Whether the space group stayed")
    magnetic_moments: list[float] | None = Field(None, description="Site moments (mu_B)")
    trajectory: dict[str, Any] | None = Field(
        None,
        description="Arrays 'energy' (eV), 'fmax' (eV/Angstrom), 'volume' (Angstrom^3) per step; "
        "of some steps 'step' (k,), 'positions' (k, n, 3) and 'cell' (k, 3, 3) (Angstrom); kept in "
        "GridFS when large",
    )

    @property
    def ranking_energy(self) -> float | None:
        """What decides between phases (eV/atom): the energy, or at a pressure the enthalpy."""
        return self.enthalpy_per_atom if self.pressure else self.energy_per_atom

    @property
    def source(self) -> str:
        """The engine, with the pressure where there is one."""
        return energy_source(self.engine, self.pressure)
