"""Flows of GPAW for one structure: the jobs, and where their results will be.

They have the shape of the flows that validate structures by VASP.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from jobflow import Flow

from makers.dft.flows import CalculationFlow
from makers.dft.gpaw import GpawRelaxMaker, GpawStaticMaker
from makers.dft.gpaw_phonon import GpawPhononMaker

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from pymatgen.core import Structure

    from screening.gpaw import GpawSettings

FORCES = {"density_tolerance": 1e-6}
"""Convergence of calculations whose forces are differentiated."""


def relaxation_flow(structure: Structure, options: GpawSettings, label: str) -> CalculationFlow:
    """Relax, then a static calculation with the k-points of the relaxed cell.

    One relaxation is enough: GPAW chooses its plane waves anew for each cell.
    """
    relax = GpawRelaxMaker(**asdict(options)).make(structure)
    static = GpawStaticMaker(**asdict(options)).make(relax.output.structure)
    flow = Flow([relax, static], name=label)
    runs = {"relax": relax.uuid, "static": static.uuid}
    return CalculationFlow.tolerant(flow, static.uuid, runs, static.output.dir_name, label)


def phonon_flow(
    primitive: Structure,
    supercell: NDArray[np.int64],
    options: GpawSettings,
    label: str,
    *,
    displacement: float = 0.01,
) -> CalculationFlow:
    """Relax tightly, then compute the forces of displacements and what atomate2 makes of them.

    Parameters
    ----------
    primitive
        The primitive cell.
    supercell
        Rows are the vectors of the supercell in those of the primitive cell.
    options
        The method; the density is converged further.
    label
        Name of the flow.
    displacement
        Finite displacement (Angstrom).
    """
    method = asdict(options) | FORCES
    maker = GpawPhononMaker(
        displacement=displacement,
        bulk_relax_maker=GpawRelaxMaker(name="tight relax", fmax=0.001, **method),
        static_energy_maker=None,
        phonon_displacement_maker=GpawStaticMaker(name="phonon static", **method),
    )
    flow = maker.make(primitive, supercell_matrix=supercell.T.tolist())  # of column vectors
    flow.name = label
    jobs = [job for job, _ in flow.iterflow()]
    tight = next(job for job in jobs if job.name == "tight relax")
    last = jobs[-1]
    return CalculationFlow.tolerant(
        flow, last.uuid, {"tight relax": tight.uuid}, last.output.code, label
    )
