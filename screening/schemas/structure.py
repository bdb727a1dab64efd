"""One crystal structure of a candidate at one stage."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any, Self

from pydantic import Field

from screening.crystal.symmetry_dataset import symmetry_dataset
from screening.identity import make_id
from screening.schemas.base import Document, Provenance, State
from screening.schemas.relax import RelaxationDoc
from screening.schemas.validation import DftDoc

if TYPE_CHECKING:
    from pymatgen.core import Structure


class StructureStage(StrEnum):
    """How far a structure has come."""

    GENERATED = "generated"
    RELAXED = "relaxed"
    DFT = "dft"


class StructureRole(StrEnum):
    """Why a structure is in the database."""

    CANDIDATE = "candidate"
    ELEMENT = "element"
    COMPETING = "competing"
    IMPORTED = "imported"


class OriginDoc(Document):
    """Which method proposed a structure, and how it ranked there."""

    method: str = Field(description="Generator: prototypes, random, ...")
    version: str = Field(description="Version of the method")
    rank: int = Field(description="Rank among the method's own proposals, from 1")
    score: float | None = Field(None, description="The method's own score, higher is better")
    seed: int | None = Field(None, description="Seed of the method")
    template: str | None = Field(None, description="Prototype or template that was used")
    parameters: dict[str, Any] = Field(default_factory=dict, description="Method's parameters")


class SpaceGroupDoc(Document):
    """Symmetry as spglib finds it."""

    number: int = Field(description="Space group number, 1 to 230")
    symbol: str = Field(description="Hermann-Mauguin symbol")
    crystal_system: str = Field(description="Triclinic to cubic")
    symprec: float = Field(description="Distance tolerance (Angstrom)")

    @classmethod
    def from_structure(cls, structure: Structure, symprec: float = 0.01) -> Self | None:
        """Find the space group with spglib (arXiv:1808.01590); None where it finds none.

        Parameters
        ----------
        structure
            An ordered structure.
        symprec
            Distance tolerance (Angstrom).
        """
        numbers = [site.specie.Z for site in structure]
        found = symmetry_dataset(structure.lattice.matrix, structure.frac_coords, numbers, symprec)
        if found is None:
            return None
        number = int(found.number)
        return cls(
            number=number,
            symbol=found.international,
            crystal_system=_crystal_system(number),
            symprec=symprec,
        )


def _crystal_system(number: int) -> str:
    """Name the crystal system of a space group."""
    last = {2: "triclinic", 15: "monoclinic", 74: "orthorhombic", 142: "tetragonal"}
    last |= {167: "trigonal", 194: "hexagonal", 230: "cubic"}
    return next(name for limit, name in last.items() if number <= limit)


class StructureDoc(Document):
    """One structure; a relaxed one points to the structure that it was relaxed from."""

    structure_id: str = Field(description="Key, made from the content")
    parent_id: str | None = Field(None, description="Structure that this one was made from")
    stage: StructureStage = Field(description="generated, relaxed or dft")
    role: StructureRole = Field(StructureRole.CANDIDATE, description="Why it is here")
    formula: str = Field(description="Reduced formula, as pymatgen writes it")
    chemsys: str = Field(description="Chemical system, symbols in alphabetical order")
    elements: list[str] = Field(description="Element symbols in alphabetical order")
    nelements: int = Field(description="Number of elements")
    nsites: int = Field(description="Atoms in the cell")
    volume_per_atom: float = Field(description="Volume (Angstrom^3/atom)")
    density: float = Field(description="Density (g/cm^3)")
    symmetry: SpaceGroupDoc | None = Field(None, description="Space group")
    structure: dict[str, Any] = Field(description="pymatgen Structure as a dictionary")
    origins: list[OriginDoc] = Field(
        default_factory=list, description="Methods that proposed it, best first"
    )
    relaxation: RelaxationDoc | None = Field(None, description="How it was relaxed")
    dft: DftDoc | None = Field(None, description="The calculations, where it was relaxed by DFT")
    duplicate_of: str | None = Field(None, description="Lower-energy structure that it matches")
    state: State = Field(State.OK, description="ok or failed")
    reason: str | None = Field(None, description="Why it failed")
    provenance: Provenance | None = Field(None, description="Where the document comes from")

    @classmethod
    def from_structure(
        cls,
        structure: Structure,
        *,
        stage: StructureStage,
        parent_id: str | None = None,
        **fields: Any,
    ) -> Self:
        """Describe a pymatgen structure.

        The identifier is made from stage, parent, lattice, species and coordinates, rounded to
        1e-5 (Angstrom, fractions), and from engine and pressure of a relaxation.

        Parameters
        ----------
        structure
            An ordered structure.
        stage
            How far the structure has come.
        parent_id
            The structure that it was made from.
        **fields
            Other fields of the document.
        """
        relaxation = fields.get("relaxation")
        composition = structure.composition
        elements = sorted(element.symbol for element in composition.elements)
        identity = make_id(
            "str",
            stage,
            parent_id,
            relaxation.source if relaxation else None,
            structure.lattice.matrix.round(5).tolist(),
            [site.specie.symbol for site in structure],
            (structure.frac_coords.round(5) + 0.0).tolist(),
        )
        return cls(
            structure_id=identity,
            parent_id=parent_id,
            stage=stage,
            formula=composition.reduced_formula,
            chemsys="-".join(elements),
            elements=elements,
            nelements=len(elements),
            nsites=len(structure),
            volume_per_atom=structure.volume / len(structure),
            density=float(structure.density),
            structure=structure.as_dict(),
            **fields,
        )

    def to_structure(self) -> Structure:
        """Rebuild the pymatgen structure."""
        from pymatgen.core import Structure

        return Structure.from_dict(self.structure)
