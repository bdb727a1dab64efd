"""From emmet's TaskDocs, as jobflow stores them, to the documents of this project."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from screening.schemas import (
    CalculationDoc,
    DftDoc,
    RelaxationDoc,
    RelaxState,
    SpaceGroupDoc,
    State,
    StructureDoc,
    StructureStage,
)
from screening.validation.corrections import mp2020

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pymatgen.core import Structure

KBAR = 0.1
"""One kB in GPa."""
EMULATOR, STUB = "-emulator", "STUB"
"""How the version and the POTCARs of an emulator of VASP are marked."""
SYMPREC = 0.01
MP_SOURCE, PAPER_SOURCE = "vasp-mp2020", "vasp-paper"
"""Energy sources: the Materials Project's corrected energies, and the papers' settings."""


def read_calculation(name: str, uuid: str, task: Mapping[str, Any]) -> CalculationDoc:
    """Describe one calculation.

    Parameters
    ----------
    name
        What it was for.
    uuid
        jobflow's identifier.
    task
        The TaskDoc as a dictionary.
    """
    inputs, output = task.get("input") or {}, task.get("output") or {}
    steps = _last(task)["output"].get("ionic_steps") or []
    stats = (task.get("run_stats") or {}).get("overall") or {}
    hours = stats.get("elapsed_time", 0.0) * max(stats.get("cores", 0), 1) / 3600
    completed = task.get("completed_at")
    return CalculationDoc(
        name=name,
        uuid=uuid,
        task_id=str(task["task_id"]) if task.get("task_id") else None,
        directory=task.get("dir_name"),
        completed=completed.isoformat() if isinstance(completed, datetime) else completed,
        converged=str(task.get("state")) == "successful",
        run_type=_text(task.get("run_type")),
        vasp_version=_last(task).get("vasp_version") or task.get("vasp_version"),
        incar=dict(inputs.get("incar") or {}),
        kpoints=_kpoints(inputs.get("kpoints")),
        potcars=_potcars(inputs, task.get("orig_inputs") or {}),
        energy_per_atom=output.get("energy_per_atom"),
        fmax=_fmax(output.get("forces")),
        ionic_steps=len(steps),
        electronic_steps=sum(len(step.get("electronic_steps") or []) for step in steps),
        core_hours=hours or None,
        corrected_errors=_corrected(task.get("custodian")),
    )


def phonon_calculations(
    settings: str, calculations: list[CalculationDoc], estimated: float | None
) -> DftDoc:
    """Describe the calculations behind phonons."""
    return DftDoc(
        settings=settings,
        calculations=calculations,
        emulated=_emulated(calculations),
        estimated_core_hours=estimated,
    )


def energy_source(settings: str, calculation: CalculationDoc, *, emulated: bool) -> str:
    """Name the source of energies: only those of one source share a hull.

    Without the Materials Project's corrections, energies with and without +U do not fit.
    """
    name = MP_SOURCE if settings == "mp" else PAPER_SOURCE
    if settings != "mp" and "+U" in (calculation.run_type or ""):
        name += "+u"
    return f"emulated-{name}" if emulated else name


def structure_from_runs(
    parent: StructureDoc,
    tasks: Mapping[str, tuple[str, Mapping[str, Any]]],
    *,
    settings: str,
    estimated: float | None = None,
) -> StructureDoc:
    """Make the document of a structure that was relaxed by DFT.

    Parameters
    ----------
    parent
        The structure that it was started from.
    tasks
        Name of each calculation -> jobflow's uuid and the TaskDoc, in order; the last one is the
        static calculation, whose energy counts.
    settings
        ``paper`` or ``mp``.
    estimated
        What the cost model said (core hours).
    """
    from pymatgen.core import Structure

    calculations = [read_calculation(name, uuid, task) for name, (uuid, task) in tasks.items()]
    *relaxations, static = calculations
    documents = [task for _, task in tasks.values()]
    final, relaxed = documents[-1], documents[-2]
    structure = Structure.from_dict(final["output"]["structure"])
    group = SpaceGroupDoc.from_structure(structure, SYMPREC)
    dft = phonon_calculations(settings, calculations, estimated)
    dft.hubbards = dict((final.get("input") or {}).get("hubbards") or {})
    dft.uncorrected_energy_per_atom = static.energy_per_atom
    dft.band_gap = final["output"].get("bandgap")
    dft.magnetization = (_last(final)["output"].get("outcar") or {}).get("total_magnetization")
    state, reason = _state(relaxations, static)
    if settings == "mp" and state.usable:
        state, reason = _correct(dft, structure, static, state, reason)
    energy = (static.energy_per_atom or 0.0) + sum(dft.corrections.values())
    return StructureDoc.from_structure(
        structure,
        stage=StructureStage.DFT,
        parent_id=parent.structure_id,
        roles=parent.roles,
        origins=parent.origins,
        symmetry=group,
        relaxation=RelaxationDoc(
            engine=energy_source(settings, static, emulated=dft.emulated),
            state=state,
            reason=reason,
            energy=energy * len(structure) if state.usable else None,
            energy_per_atom=energy if state.usable else None,
            initial_energy_per_atom=_first_energy(documents[0], len(structure)),
            fmax=relaxations[-1].fmax,
            max_stress=_max_stress(relaxed["output"].get("stress")),
            steps=sum(calculation.ionic_steps for calculation in relaxations),
            volume_change=structure.volume / len(structure) / parent.volume_per_atom - 1,
            symmetry_kept=same_group(parent, group),
            magnetic_moments=_moments(structure),
        ),
        dft=dft,
        state=State.OK if state.usable else State.FAILED,
        reason=reason,
    )


def same_group(parent: StructureDoc, group: SpaceGroupDoc | None) -> bool | None:
    """Say whether a space group is that of the parent; None if either is unknown."""
    if parent.symmetry is None or group is None:
        return None
    return group.number == parent.symmetry.number


def _state(
    relaxations: Sequence[CalculationDoc], static: CalculationDoc
) -> tuple[RelaxState, str | None]:
    if not static.converged or static.energy_per_atom is None:
        return RelaxState.FAILED, "the static calculation did not converge"
    if not relaxations[-1].converged:
        return RelaxState.NOT_CONVERGED, "the second relaxation did not converge"
    return RelaxState.CONVERGED, None


def _correct(
    dft: DftDoc,
    structure: Structure,
    static: CalculationDoc,
    state: RelaxState,
    reason: str | None,
) -> tuple[RelaxState, str | None]:
    """Add the Materials Project's corrections; without them the energy is not usable."""
    found = mp2020(
        structure,
        (static.energy_per_atom or 0.0) * len(structure),
        run_type=static.run_type or "GGA",
        potcars=static.potcars,
        hubbards=dft.hubbards,
    )
    dft.corrections = dict(found.per_atom)
    return (RelaxState.FAILED, found.refused) if found.refused else (state, reason)


def _last(task: Mapping[str, Any]) -> dict[str, Any]:
    """Return the last VASP run of a task."""
    runs = task.get("calcs_reversed") or [{"output": {}}]
    last: dict[str, Any] = runs[0]
    return last


def _emulated(calculations: Sequence[CalculationDoc]) -> bool:
    return any(
        (one.vasp_version or "").endswith(EMULATOR)
        or any(STUB in (potcar["titel"] or "") for potcar in one.potcars)
        for one in calculations
    )


def _text(value: Any) -> str | None:
    return None if value is None else str(getattr(value, "value", value))


def _potcars(inputs: Mapping[str, Any], original: Mapping[str, Any]) -> list[dict[str, str | None]]:
    """Name the POTCARs; vasprun.xml has their titles, the files that were read have hashes."""
    read = {one.get("titel"): one.get("hash") for one in original.get("potcar_spec") or []}
    used = inputs.get("potcar_spec") or original.get("potcar_spec") or []
    return [
        {"titel": one.get("titel"), "hash": one.get("hash") or read.get(one.get("titel"))}
        for one in used
    ]


def _kpoints(value: Any) -> dict[str, Any]:
    """Keep what KPOINTS says: scheme, mesh, shift."""
    content = value.as_dict() if hasattr(value, "as_dict") else dict(value or {})
    wanted = ("comment", "generation_style", "kpoints", "usershift")
    return {name: content[name] for name in wanted if name in content}


def _fmax(forces: Any) -> float | None:
    return float(np.linalg.norm(np.array(forces), axis=1).max()) if forces else None


def _max_stress(stress: Any) -> float | None:
    return float(np.abs(np.array(stress)).max()) * KBAR if stress else None


def _first_energy(task: Mapping[str, Any], n_atoms: int) -> float | None:
    """Energy of the first ionic step (eV/atom)."""
    runs = task.get("calcs_reversed") or []
    steps = (runs[-1]["output"].get("ionic_steps") or []) if runs else []
    return float(steps[0]["e_0_energy"]) / n_atoms if steps else None


def _moments(structure: Structure) -> list[float] | None:
    moments = structure.site_properties.get("magmom")
    return None if moments is None else [float(moment) for moment in moments]


def _corrected(custodian: Any) -> list[str]:
    """Name the errors that custodian met."""
    return [
        str(error)
        for run in custodian or []
        for correction in run.get("corrections") or []
        for error in correction.get("errors") or []
    ]
