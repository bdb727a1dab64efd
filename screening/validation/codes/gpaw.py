"""From the documents of GPAW's jobs, as jobflow stores them, to the documents of this project."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from screening.gpaw import relaxation
from screening.schemas import (
    CalculationDoc,
    DftDoc,
    GpawDoc,
    RelaxState,
    SpaceGroupDoc,
    State,
    StructureDoc,
    StructureStage,
)
from screening.validation.codes.vasp import SYMPREC, same_group

if TYPE_CHECKING:
    from collections.abc import Mapping


def read_gpaw(name: str, uuid: str, task: Mapping[str, Any]) -> CalculationDoc:
    """Describe one calculation.

    Parameters
    ----------
    name
        What it was for.
    uuid
        jobflow's identifier.
    task
        The `GpawTaskDoc` as a dictionary.
    """
    found = _gpaw(task)
    return CalculationDoc(
        name=name,
        uuid=uuid,
        directory=task.get("dir_name"),
        converged=found.converged,
        run_type=found.parameters["xc"],
        energy_per_atom=found.energy_per_atom,
        fmax=found.fmax,
        ionic_steps=found.steps,
        core_hours=found.seconds / 3600,
        gpaw=found,
    )


def structure_from_gpaw(
    parent: StructureDoc,
    tasks: Mapping[str, tuple[str, Mapping[str, Any]]],
    *,
    estimated: float | None = None,
) -> StructureDoc:
    """Make the document of a structure that GPAW has relaxed.

    Parameters
    ----------
    parent
        The structure that it was started from.
    tasks
        Name of each calculation -> jobflow's uuid and the document, in order; the last one is the
        static calculation, whose energy counts.
    estimated
        What the cost model said (core hours).
    """
    from pymatgen.core import Structure

    documents = [task for _, task in tasks.values()]
    final = _gpaw(documents[-1])
    steps = [_gpaw(task) for task in documents[:-1]]
    structure = Structure.from_dict(documents[-1]["structure"])
    group = SpaceGroupDoc.from_structure(structure, SYMPREC)
    found = relaxation(
        final,
        volume_change=structure.volume / len(structure) / parent.volume_per_atom - 1,
        symmetry_kept=same_group(parent, group),
    )
    found.steps = sum(step.steps for step in steps)
    if steps and not steps[-1].converged:
        found.state, found.reason = RelaxState.NOT_CONVERGED, steps[-1].reason
    return StructureDoc.from_structure(
        structure,
        stage=StructureStage.DFT,
        parent_id=parent.structure_id,
        role=parent.role,
        origins=parent.origins,
        symmetry=group,
        relaxation=found,
        dft=DftDoc(
            settings="gpaw",
            calculations=[read_gpaw(name, uuid, task) for name, (uuid, task) in tasks.items()],
            emulated=False,
            uncorrected_energy_per_atom=final.energy_per_atom,
            magnetization=final.magnetization,
            band_gap=final.band_gap,
            estimated_core_hours=estimated,
        ),
        state=State.OK,
    )


def _gpaw(task: Mapping[str, Any]) -> GpawDoc:
    """Take out the part that says how GPAW came to it; jobflow adds where its class is."""
    content = {name: value for name, value in task["gpaw"].items() if not name.startswith("@")}
    return GpawDoc.model_validate(content)
