"""Phonons and the verdict on dynamic stability."""

from enum import StrEnum
from typing import Any

from pydantic import Field

from screening.schemas.base import Document, Provenance
from screening.schemas.validation import DftDoc


class PhononVerdict(StrEnum):
    """Dynamic stability, always with the tolerance that decided."""

    STABLE = "stable"
    MARGINAL = "marginal"
    UNSTABLE = "unstable"
    NOT_CONVERGED = "not_converged"


class PhononDoc(Document):
    """Harmonic phonons by finite displacements (phonopy, doi:10.1088/1361-648X/acd831)."""

    structure_id: str = Field(description="The relaxed structure")
    engine: str = Field(description="Energy source of the forces")
    verdict: PhononVerdict = Field(description="Dynamic stability")
    reason: str | None = Field(None, description="What decided")
    tolerance: float = Field(description="Imaginary frequencies up to this are noise (THz)")
    marginal_tolerance: float = Field(description="... and up to this are marginal (THz)")
    min_frequency: float | None = Field(
        None, description="Lowest frequency on mesh and path (THz), imaginary as negative"
    )
    min_frequency_qpoint: list[float] | None = Field(
        None, description="Where it is (fractions of the reciprocal cell)"
    )
    primitive: dict[str, Any] | None = Field(
        None,
        description="Primitive cell (pymatgen Structure) that q-points, supercell and force "
        "constants refer to",
    )
    residual_force: float | None = Field(
        None, description="Largest force in the undisplaced crystal (eV/Angstrom)"
    )
    supercell: list[list[int]] = Field(
        description="Supercell matrix, rows are new vectors; empty when there is none"
    )
    displacement: float = Field(description="Finite displacement (Angstrom)")
    n_displacements: int = Field(0, description="Displaced supercells")
    nsites_supercell: int = Field(0, description="Atoms in the supercell")
    mesh: list[int] = Field(default_factory=list, description="q-point mesh of the DOS")
    bands: dict[str, Any] | None = Field(
        None,
        description="Arrays: 'distances' (nq,), 'frequencies' (nq, 3n) THz, 'qpoints' (nq, 3), "
        "'ticks' (positions), 'labels' (their names)",
    )
    dos: dict[str, Any] | None = Field(
        None, description="Arrays: 'frequencies' (THz), 'densities' (states/THz per cell)"
    )
    free_energy_300k: float | None = Field(
        None, description="Vibrational free energy at 300 K (eV/atom), when stable"
    )
    force_constants: Any | None = Field(
        None, description="Array (n, N, 3, 3), eV/Angstrom^2 (kept in GridFS)"
    )
    dft: DftDoc | None = Field(None, description="The calculations, where forces are from DFT")
    provenance: Provenance | None = Field(None, description="Where the document comes from")
