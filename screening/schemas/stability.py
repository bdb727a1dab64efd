"""How likely a composition has a stable crystal, and the ladder of evidence of one crystal."""

from enum import StrEnum

from pydantic import Field

from screening.schemas.base import CheckpointRef, Document, Provenance

BY_DFT, BY_PROBABILITY = "DFT of the known compound", "probability"
"""Grounds of a verdict."""


class StabilityVerdict(StrEnum):
    """The verdict that probabilities and distances together give."""

    STABLE = "stable"
    NEAR_HULL = "near_hull"
    METASTABLE = "metastable"
    UNSTABLE = "unstable"
    STRUCTURE_NOT_FOUND = "structure_not_found"

    def worded(self, ground: str) -> str:
        """Write the verdict for a reader: likely, or in DFT where that is its ground.

        >>> StabilityVerdict.STABLE.worded(BY_PROBABILITY), StabilityVerdict.STABLE.worded(BY_DFT)
        ('likely stable', 'stable in DFT')
        """
        words = _WORDS[self]
        return words.removeprefix("likely ") + " in DFT" if ground == BY_DFT else words


_WORDS = {
    StabilityVerdict.STABLE: "likely stable",
    StabilityVerdict.NEAR_HULL: "likely within 25 meV/atom of the hull",
    StabilityVerdict.METASTABLE: "likely within 100 meV/atom of the hull",
    StabilityVerdict.UNSTABLE: "likely unstable",
    StabilityVerdict.STRUCTURE_NOT_FOUND: "structure not found, composition likely stable",
}


class HullDistance(Document):
    """Distance to the hull of the known compounds by one source of energies."""

    source: str = Field(description="Source of the formation energy, with its scale")
    formation_energy_per_atom: float = Field(description="On the scale of the diagram (eV/atom)")
    decomposition_enthalpy: float = Field(
        description="Energy minus that of the competing phases (eV/atom): negative when stable"
    )
    lower90: float = Field(description="Lower end of its 90 % interval (eV/atom)")
    upper90: float = Field(description="Upper end of its 90 % interval (eV/atom)")


class StabilityProbability(Document):
    """Probabilities of the distance that DFT would give against the known compounds."""

    on_hull: float = Field(ge=0, le=1, description="P(distance <= 0)")
    within_25: float = Field(ge=0, le=1, description="P(distance <= 25 meV/atom)")
    within_100: float = Field(ge=0, le=1, description="P(distance <= 100 meV/atom)")


class StabilityDoc(Document):
    """How likely the most stable crystal of a composition is on the hull, and from what."""

    stability_id: str = Field(description="Key: composition, structures, models and diagram")
    formula: str = Field(description="Reduced formula, as pymatgen writes it")
    chemsys: str = Field(description="Chemical system, symbols in alphabetical order")
    structure_id: str | None = Field(None, description="Its relaxed crystal of lowest energy")
    energy_source: str | None = Field(
        None, description="Engine that relaxed the structures; None where there are none"
    )
    probability: StabilityProbability = Field(description="From everything that is known")
    by_composition: StabilityProbability = Field(
        description="From the composition alone, without any structure"
    )
    verdict: StabilityVerdict = Field(description="What it comes to")
    verdict_by: str = Field(
        description="Ground of the verdict: the probability, or DFT where the compound is known"
    )
    prevalence: float = Field(
        description="Share of stable compositions that the probabilities assume"
    )
    composition_distance: HullDistance = Field(description="By the composition model")
    structure_distance: HullDistance | None = Field(
        None, description="By the lowest relaxed crystal, energies by `energy_source`"
    )
    judge_distance: HullDistance | None = Field(
        None, description="By single points of a second potential on the lowest crystals"
    )
    evidence: str = Field(
        description="Kind of the model: composition, structures, or structures and judge"
    )
    n_structures: int = Field(0, description="Relaxed structures with usable energies")
    competing_phases: dict[str, float] = Field(
        default_factory=dict,
        description="Phases that it would decompose to, and their atomic fractions",
    )
    known_above_hull: float | None = Field(
        None,
        description="DFT distance of the composition where the diagram lists it (eV/atom); the "
        "probabilities do not use it",
    )
    reference: str = Field(description="The diagram: name, version, size, date")
    scale: str = Field(description="Scale of all energies of this document")
    n_references: int = Field(description="Compounds of the diagram in the chemical system")
    systems_without_reference: list[str] = Field(
        default_factory=list, description="Its binary and larger systems without any compound"
    )
    model: CheckpointRef = Field(description="The model of the probabilities")
    provenance: Provenance | None = Field(None, description="Where the document comes from")


class RungState(StrEnum):
    """How a rung of the ladder went."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_ASKED = "not asked"


class Rung(Document):
    """One rung of the ladder of evidence."""

    name: str = Field(description="Name of the rung")
    state: RungState = Field(description="passed, failed or not asked")
    value: float | None = Field(None, description="The number that decided, in `unit`")
    unit: str = Field("", description="Unit of the number")
    ground: str = Field(description="What it rests on, or how to ask")


class LadderDoc(Document):
    """The rungs of one crystal, in order (after arXiv:2607.01713)."""

    formula: str = Field(description="Reduced formula, as pymatgen writes it")
    structure_id: str | None = Field(None, description="The crystal")
    rungs: list[Rung] = Field(description="All rungs, the first one to climb first")
    line: str = Field(description="The ladder in one line")
