"""Phonons by DFT: atomate2's flow, and our verdict on its force constants."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from makers.base import StageSummary, TaskOutcome, stage_job
from makers.dft.code import DftMaker
from makers.tasks import force_constants, get_structure, read_task, run_tolerantly
from screening.phonon import PhononOptions, judge_force_constants, not_computed
from screening.schemas import PhononDoc, PhononVerdict, Stage
from screening.validation import phonon_calculations
from stores import Database

if TYPE_CHECKING:
    from screening.phonon import PhononOptions


@dataclass
class ValidationPhononMaker(DftMaker):
    """Keep phonons whose forces are from DFT.

    Attributes
    ----------
    code, gpaw_cutoff, settings, hubbard_u, code_options, min_length, max_atoms, displacement, born
        See `DftMaker`.
    """

    name: str = "dft phonon"
    stage: ClassVar[Stage] = Stage.VALIDATION

    def options(self) -> PhononOptions:
        """Options of the supercells and of the verdict."""
        return PhononOptions(
            min_length=self.min_length, max_atoms=self.max_atoms, displacement=self.displacement
        )

    @stage_job
    def make(
        self,
        structure_id: str,
        result: str,
        runs: dict[str, str],
        estimated: float | None = None,
        campaign_id: str | None = None,
        *,
        ready: Any = None,
        reason: str | None = None,
    ) -> StageSummary:
        """Keep the phonons of one structure that DFT has relaxed.

        Parameters
        ----------
        structure_id
            The structure.
        result
            jobflow's uuid of atomate2's PhononBSDOSDoc; empty where there can be none.
        runs, estimated, campaign_id, ready, reason
            As in `ValidationMaker.make`.
        """
        del ready

        def work(database: Database) -> TaskOutcome:
            if result:
                document = self._judge(database, structure_id, result, runs, reason)
            else:
                document = self._missing(database, structure_id, reason)
            if document.dft:
                document.dft.estimated_core_hours = estimated
            return self._kept(document)

        return run_tolerantly(self, work, {"structure_id": structure_id}, campaign_id)

    @staticmethod
    def _kept(document: PhononDoc) -> TaskOutcome:
        stable = document.verdict == PhononVerdict.STABLE
        outcome = TaskOutcome(unit="structures", counted=False, ids=[document.structure_id])
        outcome.n_out = int(stable)
        if not stable:
            outcome.count(document.verdict.value)
        outcome.add(document, [document.structure_id])
        return outcome

    def _missing(self, database: Database, structure_id: str, reason: str | None) -> PhononDoc:
        engine = _engine(database, structure_id)
        return not_computed(reason or "", self.options(), structure_id=structure_id, engine=engine)

    def _judge(
        self,
        database: Database,
        structure_id: str,
        result: str,
        runs: dict[str, str],
        reason: str | None,
    ) -> PhononDoc:
        found = read_task(result, reason, blobs=True)
        uuids = found.get("uuids") or {}
        displaced = uuids.get("displacements_uuids") or []
        named = runs | {f"phonon static {n}": uuid for n, uuid in enumerate(displaced, start=1)}
        if uuids.get("born_run_uuid"):
            named |= {"born charges": uuids["born_run_uuid"]}
        code = self.dft()
        calculations = [
            code.read_calculation(name, uuid, read_task(uuid, reason))
            for name, uuid in named.items()
        ]
        relaxed = [one for one in calculations if one.name in runs]
        document = judge_force_constants(
            force_constants(found, relaxed[-1].fmax if relaxed else None),
            self.options(),
            structure_id=structure_id,
            engine=_engine(database, structure_id),
        )
        document.dft = phonon_calculations(code.label, calculations, None)
        return document


def _engine(database: Database, structure_id: str) -> str:
    """Name the energy source of the relaxation."""
    relaxation = get_structure(database, structure_id).relaxation
    return relaxation.engine if relaxation else "vasp"
