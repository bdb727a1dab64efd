"""atomate2's flows for one structure: the jobs, and where their results will be."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jobflow import Flow

from makers.dft.flows import CalculationFlow
from makers.dft.vasp import VaspOptions, phonon_maker, relax_maker, static_maker

if TYPE_CHECKING:
    from pymatgen.core import Structure

    from screening.phonon import PhononPlan


def relaxation_flow(structure: Structure, options: VaspOptions, label: str) -> CalculationFlow:
    """Relax twice, then a static calculation."""
    relax = relax_maker(options).make(structure)
    static = static_maker(options).make(relax.output.structure, prev_dir=relax.output.dir_name)
    flow = Flow([relax, static], name=label)
    names = ("relax 1", "relax 2", "static")
    runs = {name: job.uuid for name, (job, _) in zip(names, flow.iterflow(), strict=True)}
    return CalculationFlow.tolerant(flow, static.uuid, runs, static.output.dir_name, label)


def phonon_flow(
    plan: PhononPlan, options: VaspOptions, label: str, *, displacement: float, born: bool
) -> CalculationFlow:
    """Compute the forces of a plan, and what atomate2 makes of them."""
    maker = phonon_maker(options, displacement=displacement, born=born)
    supercell = plan.supercell.T.tolist()  # phonopy's matrices act on column vectors
    flow = maker.make(plan.primitive, supercell_matrix=supercell)
    flow.name = label
    jobs = [job for job, _ in flow.iterflow()]
    tight = [job.uuid for job in jobs if job.name.startswith("tight relax")]
    runs = {f"tight relax {number}": uuid for number, uuid in enumerate(tight, start=1)}
    last = jobs[-1]
    return CalculationFlow.tolerant(flow, last.uuid, runs, last.output.code, label)
