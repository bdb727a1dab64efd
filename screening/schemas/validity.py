"""The verdict of charge neutrality and electronegativity balance."""

from enum import StrEnum

from pydantic import Field

from screening.schemas.base import Document


class ValidityReason(StrEnum):
    """Why a composition is accepted or rejected (the order gives the code in packed arrays)."""

    BALANCED = "balanced"
    ELEMENT = "single_element"
    ALLOY = "alloy"
    METALLIC = "metallic"
    MIXED_VALENCE = "mixed_valence"
    NOT_NEUTRAL = "not_neutral"
    ELECTRONEGATIVITY = "electronegativity"
    NO_OXIDATION_STATE = "no_oxidation_state"
    NO_ELECTRONEGATIVITY = "no_electronegativity"

    @property
    def valid(self) -> bool:
        """Whether this reason accepts the composition."""
        return self in _ACCEPTED

    @property
    def code(self) -> int:
        """Position in the enumeration, as kept in packed arrays (uint8)."""
        return list(ValidityReason).index(self)


_ACCEPTED = {
    ValidityReason.BALANCED,
    ValidityReason.ELEMENT,
    ValidityReason.ALLOY,
    ValidityReason.METALLIC,
    ValidityReason.MIXED_VALENCE,
}


class ValidityDoc(Document):
    """Verdict on one composition (SMACT's rules, Davies et al. 2019, doi:10.21105/joss.01361)."""

    valid: bool = Field(description="Whether the composition passes")
    reason: ValidityReason = Field(description="The rule that decided")
    table: str = Field(description="Oxidation-state table")
    metallicity: float = Field(description="Metallicity score, 0 (insulating) to 1 (metallic)")
