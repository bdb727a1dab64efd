"""A part of a long list of formulas, which campaigns name by reference."""

from pydantic import Field

from screening.schemas.base import Document


class FormulaListDoc(Document):
    """Consecutive formulas of a list; jobs and campaigns hold the identifier of the list only."""

    chunk_id: str = Field(description="Key: list and position")
    list_id: str = Field(description="Identifier of the list, a hash of all its formulas")
    position: int = Field(description="Position of this part in the list, from 0")
    n_formulas: int = Field(description="Number of formulas of the whole list")
    formulas: list[str] = Field(description="Formulas as the user wrote them, in their order")
