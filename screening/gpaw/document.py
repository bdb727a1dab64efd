"""From a finished calculator to a document."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from screening.engines import GPA_PER_EV_A3
from screening.gpaw.installation import versions
from screening.schemas.gpaw import GpawDoc
from screening.schemas.relax import RelaxationDoc, RelaxState

if TYPE_CHECKING:
    from screening.gpaw.settings import GpawSettings


def describe(
    atoms: Any,
    settings: GpawSettings,
    given: dict[str, Any],
    *,
    task: str,
    converged: bool,
    steps: int,
    seconds: float,
    resumed_at: int | None = None,
) -> GpawDoc:
    """Describe a calculation.

    Parameters
    ----------
    atoms
        Atoms with the GPAW calculator that has just computed them.
    settings, given
        The method, and the parameters that came of it.
    task
        ``relax`` or ``static``.
    converged
        Whether the ions are where they should be.
    steps, seconds, resumed_at
        As in `GpawDoc`.
    """
    calculator = atoms.calc
    energy = float(atoms.get_potential_energy())
    forces = atoms.get_forces(apply_constraint=False)
    stress = atoms.get_stress(voigt=False, apply_constraint=False) * GPA_PER_EV_A3
    polarised = bool(given["spinpol"])
    return GpawDoc(
        engine=settings.engine,
        task=task,
        parameters=given,
        versions=versions(),
        mesh=given["kpts"]["size"],
        n_kpoints=len(calculator.get_ibz_k_points()),
        n_electrons=float(calculator.get_number_of_electrons()),
        converged=converged,
        reason=None if converged else f"the forces are not below fmax after {steps} steps",
        energy=energy,
        energy_per_atom=energy / len(atoms),
        fmax=float(np.linalg.norm(forces, axis=1).max()),
        max_stress=float(np.abs(stress).max()),
        steps=steps,
        resumed_at=resumed_at,
        band_gap=_gap(calculator),
        magnetization=float(atoms.get_magnetic_moment()) if polarised else None,
        magnetic_moments=[float(m) for m in atoms.get_magnetic_moments()] if polarised else None,
        seconds=seconds,
    )


def _gap(calculator: Any) -> float | None:
    """Kohn-Sham gap (eV), 0 for metals; None where there are no empty bands to say."""
    from ase.dft.bandgap import bandgap

    try:
        return max(float(bandgap(calculator, output=None)[0]), 0.0)
    except ValueError:
        return None


def relaxation(
    found: GpawDoc, *, volume_change: float, symmetry_kept: bool | None
) -> RelaxationDoc:
    """Describe a relaxation as those of potentials are described.

    Parameters
    ----------
    found
        The last calculation; its energy and source are taken.
    volume_change
        Final / initial volume - 1.
    symmetry_kept
        Whether the space group stayed.
    """
    return RelaxationDoc(
        engine=found.engine,
        state=RelaxState.CONVERGED if found.converged else RelaxState.NOT_CONVERGED,
        reason=found.reason,
        energy=found.energy,
        energy_per_atom=found.energy_per_atom,
        fmax=found.fmax,
        max_stress=found.max_stress,
        steps=found.steps,
        volume_change=volume_change,
        symmetry_kept=symmetry_kept,
        magnetic_moments=found.magnetic_moments,
    )
