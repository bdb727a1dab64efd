"""Reading what atomate2's jobs left in the JobStore."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from makers.base import StageSummary
from screening.errors import DatabaseError, EngineError
from screening.phonon import ForceConstants
from screening.schemas import StructureDoc
from stores import Database, open_database

if TYPE_CHECKING:
    from collections.abc import Callable

    from makers.base import StageMaker, TaskOutcome
    from screening.phonon import ForceConstants


def get_structure(database: Database, structure_id: str) -> StructureDoc:
    """Read a structure.

    Raises
    ------
    DatabaseError
        If it is not there.
    """
    found = database.get(StructureDoc, structure_id, blobs=False)
    if found is None:
        raise DatabaseError(f"structure {structure_id} is missing: run the campaign again")
    return found


def read_task(uuid: str, reason: str | None, *, blobs: bool = False) -> dict[str, Any]:
    """Read the last output of a job.

    Parameters
    ----------
    uuid
        jobflow's identifier of the job.
    reason
        Why it may not be there, if that is known.
    blobs
        Whether large fields are read, too.

    Raises
    ------
    EngineError
        If the job has left none: it failed.
    """
    store = open_database().job_store()
    store.connect()
    try:
        found = store.query_one({"uuid": uuid}, ["output"], sort={"index": -1}, load=blobs)
    finally:
        store.close()
    if found is None or found["output"] is None:
        why = reason or "the firework is FIZZLED: `lpad get_fws -s FIZZLED -d more` says why"
        raise EngineError(f"DFT left no result (job {uuid}): {why}")
    output: dict[str, Any] = found["output"]
    return output


def run_tolerantly(
    maker: StageMaker,
    work: Callable[[Database], TaskOutcome],
    inputs: dict[str, Any],
    campaign_id: str | None,
) -> StageSummary:
    """Do a task; where DFT has left no result the task fails, but not the campaign.

    Such a task is in the ledger with its reason, and is tried again by the next run.
    """
    try:
        return maker.run(work, inputs=inputs, n_in=1, campaign_id=campaign_id)
    except EngineError as error:
        return StageSummary(
            task_key=maker.task_key(inputs),
            stage=maker.stage,
            n_in=1,
            n_failed=1,
            unit="structures",
            reasons={str(error): 1},
        )


def force_constants(found: dict[str, Any], residual_force: float | None) -> ForceConstants:
    """Take the force constants out of atomate2's PhononBSDOSDoc."""
    from pymatgen.core import Structure

    values = found["force_constants"]
    values = values["force_constants"] if isinstance(values, dict) else values.force_constants
    structure = found["structure"]
    if isinstance(structure, dict):
        structure = Structure.from_dict(structure)
    born, dielectric = found.get("born"), found.get("epsilon_static")
    whole = born is not None and dielectric is not None and len(born) == len(structure)
    return ForceConstants(
        structure=structure,
        supercell=np.array(found["supercell_matrix"], dtype=np.int64).T,
        values=np.array(values, dtype=np.float64),
        n_displacements=len((found.get("uuids") or {}).get("displacements_uuids") or []),
        residual_force=residual_force,
        born=np.array(born) if whole else None,
        dielectric=np.array(dielectric) if whole else None,
    )
