"""The eighth stage: dynamic stability."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from pydantic import Field
from pymatgen.core import Structure

from db_config import get_settings
from makers.base import StageSummary, TaskOutcome, stage_job
from makers.engine import EngineMaker
from screening.errors import DatabaseError
from screening.phonon import PhononOptions, phonons
from screening.relax import RelaxOptions, relax_structures
from screening.schemas import PhononVerdict, Stage, StructureDoc
from stores import Database


@dataclass
class PhononMaker(EngineMaker):
    """Compute phonons by finite displacements.

    Attributes
    ----------
    engine, engine_options
        See `EngineMaker`; of the forces.
    min_length
        Shortest vector of the supercell (Angstrom).
    max_atoms
        Most atoms in the supercell.
    displacement
        Finite displacement (Angstrom).
    fmax, max_stress
        The crystal is relaxed further to this force (eV/Angstrom) and stress (GPa) first, with its
        symmetry kept.
    tolerance, marginal_tolerance
        Imaginary frequencies up to these are noise, or marginal (THz).
    top
        How many crystals of a campaign get phonons, the lowest above the hull first.
    max_above_hull
        Only crystals at most this far above the hull (eV/atom).
    """

    name: str = "phonon"
    stage: ClassVar[Stage] = Stage.PHONON
    min_length: Annotated[float, Field(gt=0)] = 10.0
    max_atoms: Annotated[int, Field(ge=1)] = 400
    displacement: Annotated[float, Field(gt=0)] = 0.03
    fmax: Annotated[float, Field(gt=0)] = 0.003
    max_stress: Annotated[float, Field(gt=0)] = 0.02
    tolerance: Annotated[float, Field(ge=0)] = 0.1
    marginal_tolerance: Annotated[float, Field(ge=0)] = 0.5
    top: Annotated[int, Field(ge=0)] = 5
    max_above_hull: Annotated[float, Field(ge=0)] = 0.05

    def parameters(self) -> dict[str, Any]:
        """Leave out what only chooses the crystals."""
        values = super().parameters()
        return {name: values[name] for name in values if name not in {"top", "max_above_hull"}}

    def source(self) -> str:
        """Name the energy source."""
        return self.engine_name()

    @stage_job
    def make(self, structure_id: str, campaign_id: str | None = None) -> StageSummary:
        """Compute the phonons of one relaxed structure; they are kept in `phonons`."""
        return self.run(
            lambda database: self._compute(database, structure_id),
            inputs={"structure_id": structure_id},
            n_in=1,
            campaign_id=campaign_id,
        )

    def _compute(self, database: Database, structure_id: str) -> TaskOutcome:
        document = database.get(StructureDoc, structure_id)
        if document is None:
            raise DatabaseError(f"structure {structure_id} is missing: run the campaign again")
        result = phonons(
            self._relaxed(document),
            PhononOptions(
                min_length=self.min_length,
                max_atoms=self.max_atoms,
                displacement=self.displacement,
                tolerance=self.tolerance,
                marginal_tolerance=self.marginal_tolerance,
            ),
            engine=self.engine_spec(),
            device=get_settings().device,
            structure_id=structure_id,
        )
        stable = result.verdict == PhononVerdict.STABLE
        outcome = TaskOutcome(
            unit="structures",
            n_out=int(stable),
            n_failed=int(result.verdict == PhononVerdict.NOT_CONVERGED),
            ids=[structure_id],
            reasons={} if stable else {result.verdict.value: 1},
        )
        outcome.add(result, [structure_id])
        return outcome

    def _relaxed(self, document: StructureDoc) -> Structure:
        """Bring a relaxed crystal closer to its minimum, at the pressure that it was relaxed at.

        Forces left over look like soft modes.
        """
        structure = document.to_structure()
        options = RelaxOptions(
            fmax=self.fmax,
            max_stress=self.max_stress,
            pressure=document.relaxation.pressure if document.relaxation else 0.0,
            fix_symmetry=True,
            keep_trajectory=False,
        )
        engine = self.engine_spec()
        (result,) = relax_structures(
            [structure], options, engine=engine, device=get_settings().device
        )
        usable = result.relaxation.state.usable and result.structure is not None
        return result.structure if usable else structure
