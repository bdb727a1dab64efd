"""VASP as a DFT code of the validation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from db_config import get_settings
from db_config.vasp import potcar_folder, read_titels, require_vasp
from screening.validation.codes.vasp import read_calculation, structure_from_runs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from pymatgen.core import Structure

    from makers.dft.flows import CalculationFlow
    from makers.dft.vasp import VaspOptions
    from screening.phonon import PhononPlan
    from screening.schemas import CalculationDoc, StructureDoc


@dataclass(frozen=True)
class VaspCode:
    """VASP, run by atomate2; see `DftMaker` and `ValidationMaker` for the fields.

    atomate2 takes seconds to import, and only flows and tables of POTCARs need it.
    """

    settings: str = "paper"
    hubbard_u: bool = True
    displacement: float = 0.01
    born: bool = True
    poll_seconds: float = 10.0
    wall_time_hours: float | None = None

    @property
    def label(self) -> str:
        """Settings as documents name them."""
        return self.settings

    @property
    def options(self) -> VaspOptions:
        """Options of the VASP makers."""
        from makers.dft.vasp import VaspOptions

        return VaspOptions(
            settings="mp" if self.settings == "mp" else "paper",
            hubbard_u=self.hubbard_u,
            poll_seconds=self.poll_seconds,
            wall_time_hours=self.wall_time_hours,
        )

    @property
    def cutoff(self) -> float:
        """Plane-wave cutoff (eV)."""
        from makers.dft.vasp import ENCUT

        return ENCUT[self.settings]

    def parameters(self) -> dict[str, Any]:
        """Return what decides a relaxation."""
        return {"settings": self.settings, "hubbard_u": self.hubbard_u}

    def check(self) -> None:
        """Look for the programs and the folder of POTCARs."""
        require_vasp([], "", allow_emulator=True)

    def require(self, elements: Iterable[str]) -> None:
        """Look for the programs and the POTCARs of the elements."""
        from makers.dft.vasp import FAMILY

        potcars = self.potentials()
        require_vasp(
            (potcars[element] for element in sorted(set(elements))),
            FAMILY[self.settings],
            allow_emulator=get_settings().allow_emulator,
        )

    def potentials(self) -> Mapping[str, str]:
        """Return the POTCAR of each element."""
        from makers.dft.vasp import potcars

        return potcars(self.options.settings)

    def relaxation(self, structure: Structure, label: str) -> CalculationFlow:
        """Relax twice, then a static calculation."""
        from makers.dft.vasp_flows import relaxation_flow

        return relaxation_flow(structure, self.options, label)

    def phonons(self, plan: PhononPlan, label: str, *, born: bool) -> CalculationFlow:
        """Relax tightly, then compute the forces of the displacements."""
        from makers.dft.vasp_flows import phonon_flow

        return phonon_flow(plan, self.options, label, displacement=self.displacement, born=born)

    def read_calculation(self, name: str, uuid: str, task: Mapping[str, Any]) -> CalculationDoc:
        """Describe one calculation from emmet's TaskDoc."""
        return read_calculation(name, uuid, task)

    def read_structure(
        self,
        parent: StructureDoc,
        tasks: Mapping[str, tuple[str, Mapping[str, Any]]],
        estimated: float | None,
    ) -> StructureDoc:
        """Make the document of a relaxed structure."""
        return structure_from_runs(parent, tasks, settings=self.settings, estimated=estimated)

    def input_writer(self) -> Callable[[Structure, PhononPlan | None, Path], None]:
        """Return what writes INCAR, KPOINTS, POSCAR and POTCAR of each calculation."""
        return self._write_inputs

    def _write_inputs(self, structure: Structure, plan: PhononPlan | None, folder: Path) -> None:
        from makers.dft.vasp import phonon_maker, relax_maker, static_maker

        options = self.options
        double = relax_maker(options)
        self._write(structure, double.relax_maker1, folder / "relax")
        self._write(structure, static_maker(options), folder / "static")
        if plan is None:
            return
        maker = phonon_maker(options, displacement=self.displacement, born=self.born)
        self._write(plan.primitive, maker.bulk_relax_maker.relax_maker1, folder / "tight")
        for number, displaced in enumerate(plan.displaced, start=1):
            name = f"displacement-{number:03d}"
            self._write(displaced, maker.phonon_displacement_maker, folder / name)

    def _write(self, structure: Structure, job: Any, folder: Path) -> None:
        """Write the input files of one calculation; ``POTCAR.spec`` where POTCARs are missing."""
        from makers.dft.vasp import FAMILY

        potcars = self.potentials()
        symbols = [potcars[element.symbol] for element in structure.composition]
        titles = read_titels(symbols, FAMILY[self.settings]).values()
        complete = potcar_folder() is not None and None not in titles
        inputs = job.input_set_generator.get_input_set(structure, potcar_spec=not complete)
        inputs.write_input(folder)
