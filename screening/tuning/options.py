"""Options of the tuning of a potential."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class PotentialOptions(BaseModel):
    """Hyperparameters and sizes of the samples."""

    model_config = ConfigDict(extra="forbid")

    start: str = Field("nequix-oam-1-pft", description="Potential whose weights are tuned")
    sample: int = Field(4000, ge=20, description="Largest number of labelled crystals")
    largest: int = Field(12, ge=1, description="Largest number of atoms of a crystal in training")
    replay: int = Field(500, ge=0, description="Hypothetical crystals, held at the start")
    terms: int = Field(3000, ge=20, description="Crystals that the terms are fitted to")
    test: int = Field(800, ge=2, description="Largest number of crystals that are measured")
    validation: int = Field(300, ge=0, description="Crystals that choose the share of the change")
    test_fraction: float = Field(0.05, gt=0, lt=0.4, description="Share of formulas held out")
    epochs: int = Field(1, ge=1, description="Passes over the crystals")
    batch_size: int = Field(16, ge=1, description="Crystals in a step")
    learning_rate: float = Field(5e-5, gt=0, description="Peak of the cosine schedule")
    ema: float = Field(0.99, ge=0, lt=1, description="Decay of the average of the weights")
    force_weight: float = Field(1.0, ge=0, description="Weight of forces in the loss")
