"""What the validation asks of a DFT code, and the codes by name.

A code is a frozen dataclass that has the methods of `DftCode`; its fields are taken from the fields
of the Maker with the same names, and from `code_options`. A line in `CODES` adds it.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Annotated, Any, Protocol

from pydantic import Field

from makers.base import StageMaker
from makers.fields import ADDED
from screening.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from pymatgen.core import Structure

    from makers.dft.flows import CalculationFlow
    from screening.phonon import PhononPlan
    from screening.schemas import CalculationDoc, StructureDoc

CODES = {
    "vasp": "makers.dft.vasp_code:VaspCode",
    "gpaw": "makers.dft.gpaw_code:GpawCode",
}
"""Name of a code -> 'module:class'; imported only when it is asked for."""

DENSITY, PHONON_DENSITY = 64, 100
"""K-points per reciprocal volume (1/Angstrom^3), of the unit cell and of phonon supercells."""


class DftCode(Protocol):
    """A DFT code with its settings."""

    @property
    def label(self) -> str:
        """Settings as documents name them (`DftDoc.settings`)."""

    @property
    def cutoff(self) -> float:
        """Plane-wave cutoff (eV)."""

    def parameters(self) -> dict[str, Any]:
        """Return what decides a relaxation: it is part of the identity of the task."""

    def check(self) -> None:
        """Find out now whether the code can run at all.

        Raises
        ------
        ConfigError, EngineError
            If a program is missing.
        """

    def require(self, elements: Iterable[str]) -> None:
        """Find out now what every calculation of these elements would fail of.

        Raises
        ------
        ConfigError, EngineError
            If a program or the data of an element are missing.
        """

    def potentials(self) -> Mapping[str, str]:
        """Return the POTCAR of each element, or one of the same size: the cost depends on it."""

    def relaxation(self, structure: Structure, label: str) -> CalculationFlow:
        """Return the flow that relaxes a structure and computes its energy."""

    def phonons(self, plan: PhononPlan, label: str, *, born: bool) -> CalculationFlow:
        """Return the flow that computes the forces of a plan, and Born charges if there are any."""

    def read_calculation(self, name: str, uuid: str, task: Mapping[str, Any]) -> CalculationDoc:
        """Describe one calculation from the document that its job has left."""

    def read_structure(
        self,
        parent: StructureDoc,
        tasks: Mapping[str, tuple[str, Mapping[str, Any]]],
        estimated: float | None,
    ) -> StructureDoc:
        """Make the document of a relaxed structure.

        Parameters
        ----------
        parent
            The structure that was relaxed.
        tasks
            Name of each calculation -> jobflow's uuid and the document, in order; the last is the
            static one.
        estimated
            Core hours, by the cost model.
        """

    def input_writer(self) -> Callable[[Structure, PhononPlan | None, Path], None]:
        """Return what writes all input files of a structure, and of its phonons, into a folder.

        Raises
        ------
        InputError
            If the code has no input files.
        """


@dataclass
class DftMaker(StageMaker):
    """Fields that choose a DFT code and its settings.

    Attributes
    ----------
    code
        ``vasp``, or ``gpaw`` (docs/gpaw.md), which knows no `settings`, `hubbard_u` and `born`.
    gpaw_cutoff
        GPAW's plane-wave cutoff (eV).
    settings
        ``paper``: PBE, 400 eV, 1e-5 eV/atom, 0.01 eV/Angstrom. ``mp``: the Materials Project's,
        with its corrections, so that its entries may be on the hull.
    hubbard_u
        Apply +U where atomate2 does (some metals in oxides and fluorides).
    code_options
        Further settings of a code, by the names of its fields.
    min_length, max_atoms
        Minimum length of the supercell's vectors (Angstrom), and its maximum number of atoms.
    displacement
        Finite displacement (Angstrom).
    born
        Born charges of insulators.
    """

    code: Annotated[str, Field(pattern=f"^({'|'.join(CODES)})$")] = "vasp"
    gpaw_cutoff: Annotated[float, Field(gt=0)] = 700.0
    settings: Annotated[str, Field(pattern="^(paper|mp)$")] = "paper"
    hubbard_u: bool = True
    min_length: Annotated[float, Field(gt=0)] = 10.0
    max_atoms: Annotated[int, Field(ge=1)] = 200
    displacement: Annotated[float, Field(gt=0)] = 0.01
    born: bool = True
    code_options: dict[str, Any] = field(default_factory=dict, metadata=ADDED)

    def dft(self) -> DftCode:
        """Make the code with the settings of this Maker.

        Raises
        ------
        ConfigError
            If the code does not know one of `code_options`.
        """
        module, name = CODES[self.code].split(":")
        kind = getattr(import_module(module), name)
        names = {item.name for item in dataclasses.fields(kind)}
        unknown = sorted(self.code_options.keys() - names)
        if unknown:
            raise ConfigError(f"code_options = {unknown}: {self.code} knows {sorted(names)}")
        shared = {name: getattr(self, name) for name in names if hasattr(self, name)}
        code: DftCode = kind(**shared | self.code_options)
        return code
