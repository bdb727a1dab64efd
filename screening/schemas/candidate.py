"""One composition that survived the composition stages of one campaign."""

from pydantic import Field

from screening.schemas.base import Document, Provenance, Stage
from screening.schemas.energy import FormationEnergyDoc
from screening.schemas.generation import GenerationDoc
from screening.schemas.validity import ValidityDoc


class CandidateDoc(Document):
    """One composition of one campaign, with its verdicts and how far it has come."""

    candidate_id: str = Field(description="Key: the campaign and the formula")
    campaign_id: str = Field(description="The campaign")
    formula: str = Field(description="Reduced formula, as pymatgen writes it")
    chemsys: str = Field(description="Chemical system, symbols in alphabetical order")
    elements: list[str] = Field(description="Element symbols in alphabetical order")
    nelements: int = Field(description="Number of elements")
    natoms_formula: int = Field(description="Atoms per formula unit")
    generation: GenerationDoc = Field(description="The sample that it comes from")
    validity: ValidityDoc | None = Field(None, description="Charge and electronegativity verdict")
    energy: FormationEnergyDoc | None = Field(None, description="Predicted formation energy")
    score: float | None = Field(
        None, description="What candidates are ranked by, lower is better (eV/atom)"
    )
    rank: int | None = Field(None, description="Rank in the campaign, from 1")
    stage: Stage = Field(description="Stage reached")
    provenance: Provenance | None = Field(None, description="Where the document comes from")
