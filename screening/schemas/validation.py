"""Calculations by DFT: what was run, so that every number can be traced and made again."""

from typing import Any

from pydantic import Field

from screening.schemas.base import Document
from screening.schemas.gpaw import GpawDoc


class CalculationDoc(Document):
    """One calculation. Its whole TaskDoc is in the collection `outputs`, under its uuid."""

    name: str = Field(description="relax 1, relax 2, static, phonon static 1/4, ...")
    uuid: str = Field(description="jobflow's identifier of the job")
    task_id: str | None = Field(None, description="Identifier that emmet gave the task, if any")
    directory: str | None = Field(None, description="Host and folder that it ran in")
    completed: str | None = Field(None, description="When it ended, as the folder says")
    converged: bool = Field(description="Whether electrons and ions converged")
    run_type: str | None = Field(None, description="Functional, such as GGA or GGA+U")
    vasp_version: str | None = Field(None, description="Version that VASP wrote")
    incar: dict[str, Any] = Field(default_factory=dict, description="INCAR of the last run")
    kpoints: dict[str, Any] = Field(default_factory=dict, description="KPOINTS of the last run")
    potcars: list[dict[str, str | None]] = Field(
        default_factory=list, description="'titel' and 'hash' (md5) of each POTCAR"
    )
    energy_per_atom: float | None = Field(None, description="Total energy (eV/atom)")
    fmax: float | None = Field(None, description="Largest final force on an atom (eV/Angstrom)")
    ionic_steps: int = Field(0, description="Ionic steps")
    electronic_steps: int = Field(0, description="Electronic steps, all ionic steps together")
    core_hours: float | None = Field(None, description="Elapsed time times cores (h)")
    gpaw: GpawDoc | None = Field(
        None, description="Parameters, versions and convergence, where GPAW computed it"
    )
    corrected_errors: list[str] = Field(
        default_factory=list, description="Errors that custodian found and corrected"
    )


class DftDoc(Document):
    """How a structure, or its phonons, were computed by DFT."""

    settings: str = Field(description="paper or mp, see makers.dft.vasp; or the code")
    calculations: list[CalculationDoc] = Field(description="All calculations, in order")
    emulated: bool = Field(
        description="Whether an emulator of VASP answered, not VASP: the numbers mean nothing"
    )
    uncorrected_energy_per_atom: float | None = Field(
        None, description="Energy before corrections (eV/atom)"
    )
    corrections: dict[str, float] = Field(
        default_factory=dict,
        description="Corrections of MaterialsProject2020Compatibility by name (eV/atom)",
    )
    hubbards: dict[str, float] = Field(default_factory=dict, description="U - J by element (eV)")
    magnetization: float | None = Field(None, description="Total moment (mu_B/cell)")
    band_gap: float | None = Field(None, description="Kohn-Sham gap of the static run (eV)")
    estimated_core_hours: float | None = Field(
        None, description="What the cost model said before (h)"
    )

    @property
    def core_hours(self) -> float:
        """Core hours that were used."""
        return sum(calculation.core_hours or 0.0 for calculation in self.calculations)
