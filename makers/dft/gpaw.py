"""PBE by GPAW through atomate2's ASE makers, for those without VASP (docs/gpaw.md).

The jobs are atomate2's: they go into its flows (phonons, equations of state, elastic constants) as
any other. Their document is atomate2's with a `GpawDoc` beside it.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from atomate2.ase.jobs import AseRelaxMaker
from atomate2.ase.schemas import AseStructureTaskDoc, AseTaskDoc
from atomate2.ase.utils import AseRelaxer
from jobflow import job
from pydantic import Field
from pymatgen.core import Structure
from pymatgen.io.ase import AseAtomsAdaptor

from screening.errors import EngineError
from screening.gpaw import TRAJECTORY, GpawSettings, describe, make_calculator, resume
from screening.gpaw import parameters as gpaw_parameters
from screening.gpaw.calculator import set_moments
from screening.schemas import GpawDoc


class GpawTaskDoc(AseStructureTaskDoc):
    """atomate2's document of an ASE job, and how GPAW came to it."""

    gpaw: GpawDoc = Field(description="Method, versions, convergence and energy source")


@dataclass
class GpawRelaxMaker(AseRelaxMaker):
    """Relax cell and positions with plane-wave PBE.

    A job that was killed goes on from its last finished step when it is started again in the same
    folder, or with that folder as `prev_dir`.

    Attributes
    ----------
    xc, cutoff, kpoint_density, smearing, energy_tolerance, density_tolerance, spin
        The method, see `screening.gpaw.GpawSettings`.
    fmax
        Largest force (eV/Angstrom), and largest virial of the cell (eV).
    relax_cell, fix_symmetry, symprec, steps
        As in atomate2; the symmetry is kept here unless `fix_symmetry` is off.
    """

    name: str = "GPAW relax"
    fix_symmetry: bool = True
    steps: int = 200
    xc: str = "PBE"
    cutoff: Annotated[float, Field(gt=0)] = 700.0
    kpoint_density: Annotated[float, Field(gt=0)] = 64.0
    smearing: Annotated[float, Field(gt=0)] = 0.05
    energy_tolerance: Annotated[float, Field(gt=0)] = 1e-5
    density_tolerance: Annotated[float, Field(gt=0)] = 1e-4
    spin: str = "auto"
    fmax: Annotated[float, Field(gt=0)] = 0.01

    def settings(self) -> GpawSettings:
        """Return the method."""
        return GpawSettings(
            xc=self.xc,
            cutoff=self.cutoff,
            kpoint_density=self.kpoint_density,
            smearing=self.smearing,
            energy_tolerance=self.energy_tolerance,
            density_tolerance=self.density_tolerance,
            spin=self.spin,  # type: ignore[arg-type]
        )

    @job(data=["trajectory"], output_schema=GpawTaskDoc)
    def make(self, structure: Structure, prev_dir: str | Path | None = None) -> GpawTaskDoc:
        """Compute one crystal.

        Parameters
        ----------
        structure
            An ordered crystal; `magmom` of its sites are the starting moments.
        prev_dir
            Where an interrupted relaxation of the same crystal may have left its trajectory.

        Raises
        ------
        EngineError
            If GPAW is not installed, or its electrons do not converge.
        """
        return self.compute(structure, prev_dir)

    def compute(self, structure: Structure, prev_dir: str | Path | None = None) -> GpawTaskDoc:
        """Do the work of the job, without jobflow."""
        relaxing = self.steps > 1
        settings = self.settings()
        start = time.perf_counter()
        atoms = AseAtomsAdaptor().get_atoms(structure, msonable=False)
        earlier = resume(atoms, Path.cwd(), prev_dir) if relaxing else 0
        set_moments(atoms, structure, settings)
        relaxer = AseRelaxer(
            make_calculator(structure, settings, "gpaw.txt"),
            optimizer="BFGS",
            relax_cell=self.relax_cell,
            relax_shape=self.relax_shape,
            fix_symmetry=self.fix_symmetry and relaxing,
            symprec=self.symprec,
        )
        history = {
            "trajectory": TRAJECTORY,
            "append_trajectory": earlier > 0,
            "logfile": "gpaw.log",
        }
        result = _run(relaxer, atoms, self.fmax, self.steps, history if relaxing else {})
        document = AseTaskDoc.to_mol_or_struct_metadata_doc(
            "gpaw",
            result,
            self.steps,
            relax_cell=self.relax_cell and relaxing,
            relax_shape=self.relax_shape,
            fix_symmetry=self.fix_symmetry,
            symprec=self.symprec if self.fix_symmetry else None,
            ionic_step_data=self.ionic_step_data,
            store_trajectory=self.store_trajectory,
            tags=self.tags,
        )
        return GpawTaskDoc(
            **{name: getattr(document, name) for name in AseStructureTaskDoc.model_fields},
            gpaw=describe(
                atoms,
                settings,
                gpaw_parameters(structure, settings),
                task="relax" if relaxing else "static",
                converged=bool(result.converged),
                steps=earlier + len(result.trajectory) - int(relaxing),
                seconds=time.perf_counter() - start,
                resumed_at=earlier or None,
            ),
        )


@dataclass
class GpawStaticMaker(GpawRelaxMaker):
    """Energy, forces and stress of a crystal as it is; also of displaced supercells."""

    name: str = "GPAW static"
    relax_cell: bool = False
    steps: int = 1


def _failures() -> tuple[type[Exception], ...]:
    """Return what GPAW raises when electrons do not converge."""
    from gpaw import KohnShamConvergenceError

    return (KohnShamConvergenceError,)


def _run(relaxer: AseRelaxer, atoms: Any, fmax: float, steps: int, history: dict[str, Any]) -> Any:
    """Run ASE; say in one line what GPAW says in many."""
    try:
        return relaxer.relax(atoms, fmax=fmax, steps=steps, final_atoms_object_file=None, **history)
    except _failures() as error:
        said = str(error).strip().splitlines()
        raise EngineError(
            f"GPAW's electrons did not converge for {atoms.get_chemical_formula()} "
            f"({said[0] if said else 'no reason given'}): see gpaw.txt in {Path.cwd()}; more "
            "smearing, or other starting moments, help metals and magnets"
        ) from error
