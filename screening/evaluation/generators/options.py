"""Options of ``screening evaluate generators``."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, field_validator

from screening.engines.descent.options import RelaxOptions
from screening.structure import available_generators, generator_names

NO_SYMMETRY = "random-p1"
"""The second rival: random crystals without symmetry."""
POOL = "pool"
"""All methods together."""
KNOWN = "known"
"""The known crystals themselves; their relaxed energies are what others are compared with."""


class GeneratorsEvaluation(BaseModel):
    """Options of ``screening evaluate generators``."""

    model_config = ConfigDict(extra="forbid")

    methods: tuple[str, ...] = Field((), description="Methods; none: all that can be used")
    atoms: int = Field(12, ge=1, description="Most atoms in the primitive cell")
    relaxed: int = Field(1, ge=1, description="First structures of a formula that are relaxed")
    max_steps: int = Field(300, ge=1, description="Most steps of a relaxation")
    fix_symmetry: bool = Field(True, description="Whether relaxations keep the space group")
    engine: str = Field("chgnet", description="Energy engine of the relaxations")
    energies: bool = Field(True, description="Whether the ranking of prototypes knows energies")
    epochs: int = Field(8, ge=0, description="Passes of the substitution model, for an own bank")
    pool: int = Field(
        0, ge=0, description="Structures of each method in a pool of all, which is measured, too"
    )
    block: int = Field(16, ge=1, description="Formulas in a part that is kept")
    map: str | None = Field(None, description="Formula whose crystals are mapped, such as SiO2")

    @field_validator("methods", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        """Take ``random,transformer`` from the command line."""
        return [part.strip() for part in value.split(",")] if isinstance(value, str) else value

    @field_validator("methods")
    @classmethod
    def _known(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        allowed = [*generator_names(), NO_SYMMETRY]
        if not set(value) <= set(allowed):
            raise ValueError(f"use some of {allowed}")
        return value

    def chosen(self) -> tuple[str, ...]:
        """Methods that are measured."""
        return self.methods or (*available_generators(), NO_SYMMETRY)

    def relaxation(self) -> RelaxOptions:
        """How structures are relaxed."""
        return RelaxOptions(
            max_steps=self.max_steps, fix_symmetry=self.fix_symmetry, keep_trajectory=False
        )
