"""The sixth stage: relaxation of many structures with a machine-learned potential."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field

from db_config import get_settings
from makers.base import Inherited, StageSummary, TaskOutcome, stage_job
from makers.engine import EngineMaker
from makers.fields import ADDED
from screening.engines.descent.options import PRESSURES
from screening.progress import report
from screening.relax import MinimaOptions, RelaxOptions, relax_to_minima
from screening.schemas import (
    SpaceGroupDoc,
    Stage,
    State,
    StructureDoc,
    StructureRole,
    StructureStage,
)
from screening.schemas.relax import energy_source
from stores import Database

if TYPE_CHECKING:
    from screening.relax import MinimaOptions, RelaxOptions, RelaxResult


@dataclass
class RelaxMaker(EngineMaker):
    """Relax cell and positions.

    Attributes
    ----------
    engine, engine_options
        See `EngineMaker`.
    fmax, max_stress
        Converged below this force (eV/Angstrom) and stress (GPa).
    max_steps
        Most evaluations of one structure.
    pressure
        Target pressure (GPa) of the relaxations, the hull and the phonons; None: the campaign's.
        Phases are then compared by their enthalpies. Below 0 GPa crystals are under tension, and no
        hull exists.
    fix_symmetry
        Keep the space group.
    batch_size
        Structures that are relaxed together.
    symprec
        Tolerance of the space group that is kept, and written on the result (Angstrom).
    loose_symprec
        A relaxed crystal that has more symmetry within this distance (Angstrom) is moved there and
        relaxed on, if that costs no more than `distortion_energy`; the space group at this
        tolerance is written on the result too, where it differs.
    distortion_energy
        What a distortion has to gain to count (eV/atom).
    saddle_window
        Symmetric candidates at most this far above the lowest of their composition (eV/atom) are
        relaxed again from slightly broken symmetry; a lower crystal is a child of the first. 0 for
        none.
    structures_per_task
        Structures in one job.
    """

    name: str = "relax"
    stage: ClassVar[Stage] = Stage.RELAX
    version: ClassVar[int] = 2
    inherited: ClassVar[dict[str, Inherited]] = {
        **EngineMaker.inherited,
        "pressure": Inherited("pressure", 0.0),
    }
    fmax: Annotated[float, Field(gt=0)] = 0.05
    max_stress: Annotated[float, Field(gt=0)] = 0.1
    max_steps: Annotated[int, Field(ge=1)] = 300
    pressure: Annotated[float | None, Field(ge=PRESSURES[0], le=PRESSURES[1])] = None
    fix_symmetry: bool = True
    batch_size: Annotated[int, Field(ge=1)] = 16
    symprec: Annotated[float, Field(gt=0)] = 0.01
    loose_symprec: Annotated[float, Field(gt=0)] = field(default=0.1, metadata=ADDED)
    distortion_energy: Annotated[float, Field(ge=0)] = field(default=0.001, metadata=ADDED)
    saddle_window: Annotated[float, Field(ge=0)] = field(default=0.05, metadata=ADDED)
    structures_per_task: Annotated[int, Field(ge=1)] = 64

    def source(self) -> str:
        """Name the energy source, with the pressure where there is one."""
        return energy_source(self.engine_name(), self.target_pressure)

    @property
    def target_pressure(self) -> float:
        """Target pressure (GPa)."""
        return self.pressure or 0.0

    @stage_job
    def make(
        self, structure_ids: list[str], campaign_id: str | None = None, *, counted: bool = True
    ) -> StageSummary:
        """Relax some structures; each result is a new document in `structures`."""
        return self.run(
            lambda database: self._relax(database, structure_ids, counted=counted),
            inputs={"structure_ids": structure_ids},
            n_in=len(structure_ids),
            campaign_id=campaign_id,
        )

    def _relax(self, database: Database, structure_ids: list[str], *, counted: bool) -> TaskOutcome:
        settings = get_settings()
        documents = database.get_many(StructureDoc, structure_ids)
        total = len(documents)
        done = 0

        def on_done(*_: Any) -> None:
            nonlocal done
            done += 1
            report(self.stage, done, total)

        minima = relax_to_minima(
            [document.to_structure() for document in documents],
            *self._options(),
            breakable=[StructureRole.CANDIDATE in document.roles for document in documents],
            engine=self.engine_spec(),
            device=settings.device,
            processes=settings.n_processes,
            on_done=on_done,
        )
        outcome = TaskOutcome(unit="structures", counted=counted)
        for place, (document, result) in enumerate(zip(documents, minima.results, strict=True)):
            relaxed = self._relaxed(document, result)
            outcome.add(relaxed, [document.structure_id])
            outcome.ids.append(relaxed.structure_id)
            state = result.relaxation.state
            if state.usable:
                outcome.n_out += 1
            else:
                outcome.n_failed += 1
                outcome.count(state.value)
            if place in minima.children:
                child = self._relaxed(relaxed, minima.children[place])
                outcome.add(child, [relaxed.structure_id])
                outcome.ids.append(child.structure_id)
        return outcome

    def _options(self) -> tuple[RelaxOptions, MinimaOptions]:
        loose = self.loose_symprec
        return RelaxOptions(
            fmax=self.fmax,
            max_stress=self.max_stress,
            max_steps=self.max_steps,
            pressure=self.target_pressure,
            fix_symmetry=self.fix_symmetry,
            symprec=self.symprec,
            batch_size=self.batch_size,
        ), MinimaOptions(
            symprecs=(loose, loose / 2, loose / 4),
            energy=self.distortion_energy,
            window=self.saddle_window,
        )

    def _relaxed(self, parent: StructureDoc, result: RelaxResult) -> StructureDoc:
        """Describe a relaxed structure; a failed one keeps the structure it came from."""
        relaxation = result.relaxation
        usable = relaxation.state.usable and result.structure is not None
        shape = result.structure if usable and result.structure else parent.to_structure()
        symmetry = SpaceGroupDoc.from_structure(shape, self.symprec, self.loose_symprec)
        return StructureDoc.from_structure(
            shape,
            stage=StructureStage.RELAXED,
            parent_id=parent.structure_id,
            roles=parent.roles,
            symmetry=symmetry if usable else None,
            origins=parent.origins,
            relaxation=relaxation,
            state=State.OK if usable else State.FAILED,
            reason=relaxation.reason,
        )
