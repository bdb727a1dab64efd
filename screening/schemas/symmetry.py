"""Predicted Bravais lattices, space groups and lattice parameters of a composition."""

from pydantic import Field

from screening.schemas.base import CheckpointRef, Document, Provenance


class BravaisGuess(Document):
    """One Bravais lattice with its probability and the conventional cell predicted for it."""

    bravais: str = Field(description="One of the 14 classes, such as 'cubic F'")
    probability: float = Field(description="Probability of the class, 0 to 1")
    lattice: tuple[float, float, float, float, float, float] = Field(
        description="Conventional cell: a, b, c (Angstrom), alpha, beta, gamma (degrees)"
    )


class SpaceGroupGuess(Document):
    """One space group with its end-to-end probability."""

    number: int = Field(ge=1, le=230, description="Number in the International Tables")
    symbol: str = Field(description="Hermann-Mauguin symbol")
    probability: float = Field(description="Probability, 0 to 1, over all 230 groups")


class SymmetryDoc(Document):
    """What the symmetry stage predicts for one composition."""

    symmetry_id: str = Field(description="Key: the formula and the model")
    formula: str = Field(description="Reduced formula, as pymatgen writes it")
    bravais: list[BravaisGuess] = Field(description="Most probable Bravais lattices first")
    space_groups: list[SpaceGroupGuess] = Field(description="Most probable space groups first")
    volume_per_atom: float = Field(description="Predicted volume (Angstrom^3/atom)")
    model: CheckpointRef = Field(description="The model")
    provenance: Provenance | None = Field(None, description="Where the document comes from")
