"""One crystal structure of a candidate at one stage."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any, Self

from pydantic import Field, model_validator

from screening.crystal.symmetry_dataset import symmetry_dataset
from screening.crystal.systems import crystal_system
from screening.identity import make_id
from screening.schemas.base import Document, Provenance, State
from screening.schemas.relax import RelaxationDoc
from screening.schemas.validation import DftDoc

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pymatgen.core import Structure


class StructureStage(StrEnum):
    """How far a structure has come."""

    GENERATED = "generated"
    RELAXED = "relaxed"
    DFT = "dft"


class StructureRole(StrEnum):
    """Why a structure is in the database; a structure may have several roles."""

    CANDIDATE = "candidate"
    ELEMENT = "element"
    COMPETING = "competing"
    IMPORTED = "imported"


class OriginDoc(Document):
    """One claim on a structure: the method or source that gave it, in which role and rank."""

    method: str = Field(description="Generator: prototypes, random, ...")
    version: str = Field(description="Version of the method")
    rank: int = Field(description="Rank among the method's own proposals, from 1")
    score: float | None = Field(None, description="The method's own score, higher is better")
    seed: int | None = Field(None, description="Seed of the method")
    template: str | None = Field(None, description="Prototype or template that was used")
    parameters: dict[str, Any] = Field(default_factory=dict, description="Method's parameters")
    role: StructureRole = Field(
        StructureRole.CANDIDATE,
        description="candidate: proposed by a method; otherwise given as a reference",
    )


def best_ranks(origins: Iterable[OriginDoc]) -> dict[str, int]:
    """Find the best rank of each method that proposed a crystal, the best method first."""
    best: dict[str, int] = {}
    for origin in origins:
        if origin.role == StructureRole.CANDIDATE:
            best[origin.method] = min(origin.rank, best.get(origin.method, origin.rank))
    return dict(sorted(best.items(), key=lambda item: (item[1], item[0])))


def found_by(origins: Iterable[OriginDoc]) -> str:
    """Name the methods that proposed a crystal, with their best ranks: ``random #1, maps #3``."""
    return ", ".join(f"{method} #{rank}" for method, rank in best_ranks(origins).items())


class SpaceGroupDoc(Document):
    """Symmetry as spglib finds it."""

    number: int = Field(description="Space group number, 1 to 230")
    symbol: str = Field(description="Hermann-Mauguin symbol")
    crystal_system: str = Field(description="Triclinic to cubic")
    symprec: float = Field(description="Distance tolerance (Angstrom)")
    other_number: int | None = Field(
        None, description="Space group number at another tolerance, where it differs"
    )
    other_symbol: str | None = Field(None, description="Hermann-Mauguin symbol of that one")
    other_symprec: float | None = Field(None, description="The other tolerance (Angstrom)")

    @classmethod
    def from_structure(
        cls, structure: Structure, symprec: float = 0.01, other: float | None = None
    ) -> Self | None:
        """Find the space group with spglib (arXiv:1808.01590); None where it finds none.

        Parameters
        ----------
        structure
            An ordered structure.
        symprec
            Distance tolerance (Angstrom).
        other
            Another tolerance (Angstrom), whose space group is stated where it differs.
        """
        numbers = [site.specie.Z for site in structure]
        cell = (structure.lattice.matrix, structure.frac_coords, numbers)
        found = symmetry_dataset(*cell, symprec)
        if found is None:
            return None
        number = int(found.number)
        second = symmetry_dataset(*cell, other) if other is not None else None
        if second is not None and second.number == number:
            second = None
        return cls(
            number=number,
            symbol=found.international,
            crystal_system=crystal_system(number),
            symprec=symprec,
            other_number=None if second is None else int(second.number),
            other_symbol=None if second is None else second.international,
            other_symprec=None if second is None else other,
        )


class StructureDoc(Document):
    """One structure; a relaxed one points to the structure that it was relaxed from.

    The identifier names the content: cell, atoms and, of a relaxed one, its parent and energy
    source. `roles` and `origins` are claims on it, and several tasks may write the same structure:
    the store merges their claims, whatever the order, and keeps the content of lowest energy.
    """

    structure_id: str = Field(description="Key, made from the content")
    parent_id: str | None = Field(None, description="Structure that this one was made from")
    stage: StructureStage = Field(description="generated, relaxed or dft")
    roles: list[StructureRole] = Field(
        default_factory=list, description="Why it is here: candidate, element, competing, imported"
    )
    role: StructureRole = Field(
        StructureRole.CANDIDATE, description="The first of its roles, in the order above"
    )
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
        default_factory=list, description="Methods and sources that gave it, best rank first"
    )
    relaxation: RelaxationDoc | None = Field(None, description="How it was relaxed")
    dft: DftDoc | None = Field(None, description="The calculations, where it was relaxed by DFT")
    duplicate_of: str | None = Field(None, description="Lower-energy structure that it matches")
    state: State = Field(State.OK, description="ok or failed")
    reason: str | None = Field(None, description="Why it failed")
    provenance: Provenance | None = Field(
        None, description="The task that wrote the content; the ledger names all that gave it"
    )

    @model_validator(mode="before")
    @classmethod
    def _complete_roles(cls, values: Any) -> Any:
        """Make `roles` of a single `role`, as older documents have it, and order them."""
        if not isinstance(values, dict):
            return values
        roles = values.get("roles")
        if not roles:
            role = StructureRole(values.get("role", StructureRole.CANDIDATE))
            origins = [_in_role(origin, role) for origin in values.get("origins") or []]
            values, roles = values | {"origins": origins}, [role]
        ordered = [role for role in StructureRole if role in set(roles)]
        return values | {"roles": ordered, "role": ordered[0]} if ordered else values

    @property
    def is_candidate(self) -> bool:
        """Whether a method proposed it."""
        return StructureRole.CANDIDATE in self.roles

    @property
    def is_reference(self) -> bool:
        """Whether it is a known crystal: an element, a known phase, or imported."""
        return any(role != StructureRole.CANDIDATE for role in self.roles)

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
            structure=structure.as_dict() | {"properties": {}},  # remarks, not content
            **fields,
        )

    def to_structure(self) -> Structure:
        """Rebuild the pymatgen structure."""
        from pymatgen.core import Structure

        return Structure.from_dict(self.structure)


def _in_role(origin: Any, role: StructureRole) -> Any:
    """Give an origin the role of its structure."""
    if isinstance(origin, OriginDoc):
        return origin.model_copy(update={"role": role})
    return {"role": role, **origin} if isinstance(origin, dict) else origin
