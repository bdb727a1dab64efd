"""Options of ``screening train transformer``."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, field_validator

from screening.structure.transformer.network import HEAD_WIDTH
from screening.training.options import LoopOptions


class TransformerOptions(BaseModel):
    """Hyperparameters of the training."""

    model_config = ConfigDict(extra="forbid")

    width: int = Field(128, ge=HEAD_WIDTH, description="Length of a token's vector")
    layers: int = Field(5, ge=1, description="Layers")
    dropout: float = Field(0.1, ge=0, lt=1, description="Share of values dropped in training")
    max_atoms: int = Field(20, ge=1, le=64, description="Most atoms in the primitive cell")
    settings: int = Field(4, ge=1, description="Settings of each crystal that are prepared")
    shift: float = Field(0.5, ge=0, le=1, description="Share of crystals in a random setting")
    noise: float = Field(0.5, ge=0, le=1, description="Share of crystals with sub-bin noise")
    group_weight: float = Field(0.3, ge=0, description="Weight of space groups in the loss")
    letter_weight: float = Field(0.5, ge=0, description="Weight of Wyckoff letters in the loss")
    cell_weight: float = Field(0.2, ge=0, description="Weight of the cell's bins in the loss")
    fraction_weight: float = Field(1.0, ge=0, description="Weight of coordinates in the loss")
    offset_weight: float = Field(0.2, ge=0, description="Weight of steps inside bins in the loss")
    epochs: int = Field(60, ge=1, description="Passes over the training crystals")
    batch_size: int = Field(256, ge=1, description="Crystals per step")
    learning_rate: float = Field(4e-4, gt=0, description="Peak of the schedule")
    weight_decay: float = Field(0.05, ge=0, description="Weight decay of AdamW")
    warmup: float = Field(0.05, gt=0, lt=1, description="Share of the steps with a rising rate")
    ema: float = Field(0.995, ge=0, lt=1, description="Decay of the averaged weights")
    bfloat16: bool = Field(False, description="Compute products in bfloat16")
    validate_every: int = Field(5, ge=1, description="Epochs between validations")
    validated: int = Field(150, ge=1, description="Formulas that are predicted in a validation")
    patience: int = Field(6, ge=1, description="Validations without progress that end a training")
    test_fraction: float = Field(0.1, gt=0, lt=0.9, description="Share of formulas held out")
    validation_fraction: float = Field(
        0.01, gt=0, lt=0.9, description="Share of the other formulas that is left for validation"
    )
    start: str = Field("", description="Checkpoint whose weights the training starts from")

    @field_validator("width")
    @classmethod
    def _heads(cls, value: int) -> int:
        if value % HEAD_WIDTH:
            raise ValueError(f"must be a multiple of {HEAD_WIDTH}")
        return value

    def network(self) -> dict[str, Any]:
        """Arguments of `CrystalTransformer`."""
        return self.model_dump(include={"width", "layers", "dropout"})

    def weights(self) -> dict[str, float]:
        """Weights of the parts of the loss."""
        names = ("group", "letter", "cell", "fraction", "offset")
        return {name: getattr(self, f"{name}_weight") for name in names}

    def loop(self) -> LoopOptions:
        """Hyperparameters of the loop."""
        names = {
            "epochs",
            "batch_size",
            "learning_rate",
            "weight_decay",
            "warmup",
            "validate_every",
            "patience",
            "bfloat16",
        }
        return LoopOptions(
            **self.model_dump(include=names), schedule="cosine", clip_norm=1.0, ema=self.ema or None
        )
