"""A calculation by GPAW: what was asked, what answered, and whether it converged."""

from typing import Any

from pydantic import Field

from screening.schemas.base import Document


class GpawDoc(Document):
    """One plane-wave PAW calculation by GPAW (doi:10.1063/5.0182685)."""

    engine: str = Field(
        description="Energy source, such as 'gpaw-26.7.0-PBE-700eV'; never mixed on a hull"
    )
    task: str = Field(description="relax or static")
    parameters: dict[str, Any] = Field(description="All that was given to GPAW")
    versions: dict[str, str] = Field(
        description="Versions of gpaw, gpaw-data (the PAW setups), ase, libxc and numpy"
    )
    mesh: list[int] = Field(description="Gamma-centred k-points along the reciprocal vectors")
    n_kpoints: int = Field(description="k-points that symmetry leaves")
    n_electrons: float = Field(description="Valence electrons in the cell")
    converged: bool = Field(
        description="Whether forces (and the virial of a relaxed cell) fell below fmax; a static "
        "calculation that ends is converged, as are its electrons"
    )
    reason: str | None = Field(None, description="Why it is not converged")
    energy: float = Field(description="Energy, extrapolated to no smearing (eV/cell)")
    energy_per_atom: float = Field(description="The same (eV/atom)")
    fmax: float = Field(description="Largest final force on an atom (eV/Angstrom)")
    max_stress: float = Field(description="Largest final stress component (GPa)")
    steps: int = Field(description="Evaluations of energy, forces and stress, of all attempts")
    resumed_at: int | None = Field(
        None, description="Step of an interrupted relaxation that this one went on from"
    )
    band_gap: float | None = Field(None, description="Kohn-Sham gap on the mesh (eV); 0: a metal")
    magnetization: float | None = Field(None, description="Total moment (mu_B/cell)")
    magnetic_moments: list[float] | None = Field(None, description="Site moments (mu_B)")
    seconds: float = Field(description="Wall time of the last attempt (s)")
