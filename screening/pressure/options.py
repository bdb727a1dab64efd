"""Options of ``screening train pressure-data``."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator


def read_pressures(value: Any) -> Any:
    """Turn ``0,10,30`` into numbers."""
    return [part.strip() for part in value.split(",")] if isinstance(value, str) else value


class PressureDataOptions(BaseModel):
    """Options of ``screening train pressure-data --set NAME=VALUE``."""

    model_config = ConfigDict(extra="forbid")

    method: Literal["relaxed", "scaled"] = Field(
        "relaxed",
        description="Relax at each pressure, or scale the cell to pressures up to the highest",
    )
    pressures: list[float] = Field(
        [0.0, 10.0, 30.0, 60.0, 100.0], min_length=1, description="Pressures (GPa), ascending"
    )
    structures: int = Field(100, ge=1, description="Structures of the data file")
    prototypes: int = Field(2, ge=0, le=50, description="Prototypes more for each composition")
    max_atoms: int = Field(8, ge=1, le=200, description="Most atoms in a cell")
    engine: str = Field("chgnet", description="Energy engine")
    fmax: float = Field(0.05, gt=0, description="Converged below this force (eV/Angstrom)")
    max_stress: float = Field(0.3, gt=0, description="... and this far from the pressure (GPa)")
    max_steps: int = Field(150, ge=1, description="Most evaluations of a structure at a pressure")
    batch: int = Field(12, ge=1, description="Compositions that are written together")

    _read = field_validator("pressures", mode="before")(read_pressures)

    @field_validator("pressures")
    @classmethod
    def _ascending(cls, value: list[float]) -> list[float]:
        if value[0] < 0 or any(low >= high for low, high in pairwise(value)):
            raise ValueError("give pressures from 0 GPa up, each once, in ascending order")
        return value
