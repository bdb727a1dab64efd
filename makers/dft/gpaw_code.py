"""GPAW as a DFT code of the validation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from screening import gpaw
from screening.errors import InputError
from screening.validation.codes.gpaw import read_gpaw, structure_from_gpaw

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from pymatgen.core import Structure

    from makers.dft.flows import CalculationFlow
    from screening.phonon import PhononPlan
    from screening.schemas import CalculationDoc, StructureDoc


@dataclass(frozen=True)
class GpawCode:
    """GPAW, run by atomate2's ASE makers; see `DftMaker` for the fields."""

    gpaw_cutoff: float = 700.0
    displacement: float = 0.01

    @property
    def label(self) -> str:
        """Settings as documents name them."""
        return "gpaw"

    @property
    def cutoff(self) -> float:
        """Plane-wave cutoff (eV)."""
        return self.gpaw_cutoff

    def parameters(self) -> dict[str, Any]:
        """Return what decides a relaxation."""
        return {"code": "gpaw", "gpaw_cutoff": self.gpaw_cutoff}

    def check(self) -> None:
        """Look for the package and its data sets."""
        gpaw.require()

    def require(self, elements: Iterable[str]) -> None:
        """Look for the package and its data sets, which have all elements."""
        if any(True for _ in elements):
            self.check()

    def potentials(self) -> Mapping[str, str]:
        """Return VASP's choice: GPAW's data sets have about as many electrons."""
        from makers.dft.vasp import potcars

        return potcars("paper")

    def relaxation(self, structure: Structure, label: str) -> CalculationFlow:
        """Relax once, then a static calculation."""
        from makers.dft.gpaw_flows import relaxation_flow

        return relaxation_flow(structure, gpaw.GpawSettings(cutoff=self.gpaw_cutoff), label)

    def phonons(self, plan: PhononPlan, label: str, *, born: bool) -> CalculationFlow:
        """Relax tightly, then compute the forces of the displacements; no Born charges."""
        from makers.dft.gpaw_flows import phonon_flow

        del born
        return phonon_flow(
            plan.primitive,
            plan.supercell,
            gpaw.GpawSettings(cutoff=self.gpaw_cutoff),
            label,
            displacement=self.displacement,
        )

    def read_calculation(self, name: str, uuid: str, task: Mapping[str, Any]) -> CalculationDoc:
        """Describe one calculation from a GpawTaskDoc."""
        return read_gpaw(name, uuid, task)

    def read_structure(
        self,
        parent: StructureDoc,
        tasks: Mapping[str, tuple[str, Mapping[str, Any]]],
        estimated: float | None,
    ) -> StructureDoc:
        """Make the document of a relaxed structure."""
        return structure_from_gpaw(parent, tasks, estimated=estimated)

    def input_writer(self) -> Callable[[Structure, PhononPlan | None, Path], None]:
        """Refuse: GPAW is called from Python."""
        raise InputError("GPAW has no input files: --dry-run is for code: vasp, not 'gpaw'")
