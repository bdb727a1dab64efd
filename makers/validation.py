"""The last stage: DFT of the best candidates with VASP or GPAW, through atomate2's makers.

atomate2's jobs run the code and keep their TaskDocs in the JobStore; the jobs here read those and
write `structures`, `phonons` and `hulls`, with all that is needed to trace and repeat them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from pydantic import Field

from makers.base import StageSummary, TaskOutcome, stage_job
from makers.dft.code import DftMaker
from makers.tasks import get_structure, read_task, run_tolerantly
from makers.validation_phonon import ValidationPhononMaker
from screening.schemas import Stage
from stores import Database


@dataclass
class ValidationMaker(DftMaker):
    """Choose the best crystals, relax them by DFT, and compute phonons of the stable ones.

    Attributes
    ----------
    code, gpaw_cutoff, settings, hubbard_u, code_options, min_length, max_atoms, displacement, born
        See `DftMaker`.
    competing
        Compute the elements and the stable phases of the potential's hull, too. Without them the
        hull has what was imported (`screening references entries`).
    phonons
        Compute phonons of those that DFT finds at most `phonon_max_above_hull` above its hull.
    phonon_max_above_hull
        See `phonons` (eV/atom); where there is no DFT hull, all get phonons.
    top
        Maximum number of candidates.
    max_above_hull
        Only candidates at most this far above the potential's hull (eV/atom).
    budget
        Maximum number of core hours, by the estimate, competing phases included; empty for any.
    per_formula, per_prototype, per_system
        Maximum number of candidates of one formula, prototype and chemical system; empty for any.
    gflops_per_core
        Sustained speed of a core for the estimate (1e9 operations/s).
    poll_seconds
        How often custodian looks at a running VASP (s).
    wall_time_hours
        custodian stops a calculation in time before this; empty for never.
    """

    name: str = "validation"
    stage: ClassVar[Stage] = Stage.VALIDATION
    competing: bool = True
    phonons: bool = True
    phonon_max_above_hull: Annotated[float, Field(ge=0)] = 0.05
    top: Annotated[int, Field(ge=0)] = 7
    max_above_hull: Annotated[float, Field(ge=0)] = 0.1
    budget: Annotated[float | None, Field(gt=0)] = None
    per_formula: Annotated[int | None, Field(ge=1)] = 1
    per_prototype: Annotated[int | None, Field(ge=1)] = 2
    per_system: Annotated[int | None, Field(ge=1)] = None
    gflops_per_core: Annotated[float, Field(gt=0)] = 4.0
    poll_seconds: Annotated[float, Field(gt=0)] = 10.0
    wall_time_hours: Annotated[float | None, Field(gt=0)] = None

    def parameters(self) -> dict[str, Any]:
        """Only what decides the relaxations."""
        return self.dft().parameters()

    def check(self) -> None:
        """Find out now whether the code can run; POTCARs are looked for when elements are known.

        Raises
        ------
        ConfigError, EngineError
            If a program or the folder of POTCARs is missing, or GPAW.
        """
        self.dft().check()

    def phonon_maker(self) -> ValidationPhononMaker:
        """Return the maker that keeps the phonons."""
        return ValidationPhononMaker(
            code=self.code,
            gpaw_cutoff=self.gpaw_cutoff,
            settings=self.settings,
            hubbard_u=self.hubbard_u,
            code_options=self.code_options,
            min_length=self.min_length,
            max_atoms=self.max_atoms,
            displacement=self.displacement,
            born=self.born,
        )

    @stage_job
    def make(
        self,
        structure_id: str,
        runs: dict[str, str],
        estimated: float | None = None,
        campaign_id: str | None = None,
        *,
        ready: Any = None,
        reason: str | None = None,
        counted: bool = True,
    ) -> StageSummary:
        """Keep what DFT gave for one structure.

        Parameters
        ----------
        structure_id
            The structure that was relaxed.
        runs
            Name of each calculation -> jobflow's uuid of its TaskDoc, the static one last.
        estimated
            Core hours, by the cost model.
        campaign_id
            Campaign that asks.
        ready
            Only makes this job wait.
        reason
            Why there is no result, where that is known.
        counted
            Whether it is a candidate.
        """
        del ready

        def work(database: Database) -> TaskOutcome:
            outcome = self._collect(database, structure_id, runs, estimated, reason)
            outcome.counted = counted
            return outcome

        return run_tolerantly(self, work, {"structure_id": structure_id}, campaign_id)

    def _collect(
        self,
        database: Database,
        structure_id: str,
        runs: dict[str, str],
        estimated: float | None,
        reason: str | None,
    ) -> TaskOutcome:
        parent = get_structure(database, structure_id)
        tasks = {name: (uuid, read_task(uuid, reason)) for name, uuid in runs.items()}
        relaxed = self.dft().read_structure(parent, tasks, estimated)
        usable = relaxed.state == "ok"
        outcome = TaskOutcome(
            unit="structures",
            n_out=int(usable),
            n_failed=int(not usable),
            ids=[relaxed.structure_id],
        )
        if relaxed.reason:
            outcome.count(relaxed.reason)
        outcome.add(relaxed, [structure_id])
        return outcome
