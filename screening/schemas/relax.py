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


class RelaxationDoc(Document):
    """The result of one relaxation of cell and positions."""

    engine: str = Field(description="Energy source, such as 'chgnet-0.3.0'; never mixed on a hull")
    state: RelaxState = Field(description="How it ended")
    reason: str | None = Field(None, description="Why it is not converged")
    energy: float | None = Field(None, description="Final energy (eV/cell)")
    energy_per_atom: float | None = Field(None, description="Final energy (eV/atom)")
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
        description="Arrays 'energy' (eV), 'fmax' (eV/Angstrom), 'volume' (Angstrom^3) per step "
        "(kept in GridFS when large)",
    )
