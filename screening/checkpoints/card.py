"""The card beside the weights."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import Field, field_validator

from screening.checkpoints.former_names import FORMER_NAMES
from screening.schemas.base import CheckpointRef, Document, utc_now


class DataSource(Document):
    """One file that a model was trained on."""

    name: str = Field(description="File name")
    sha256: str = Field(description="SHA-256 of the file")
    rows: int = Field(description="Rows used")
    origin: str = Field(description="Where the data come from")
    licence: str = Field(description="Licence of the data")


class Card(Document):
    """What a trained model is, and what it can do."""

    name: str = Field(description="Name of the checkpoint")
    version: str = Field(description="Version of this training")
    model: str = Field(description="'module:class' that reads the weights")
    description: str = Field(description="One sentence")
    arguments: dict[str, Any] = Field(description="Arguments of the class")
    hyperparameters: dict[str, Any] = Field(description="Options of the training")
    data: list[DataSource] = Field(description="Training data")
    split: dict[str, Any] = Field(description="How the measured part was held out")
    metrics: dict[str, Any] = Field(description="Metrics on the held-out part, with n")
    history: dict[str, dict[str, list[float]]] = Field(
        default_factory=dict,
        description="Training curves: for each network, columns of `epoch` or `step`, the mean "
        "`loss` since the entry before and, where one was watched, the `metric`",
    )
    plots: dict[str, Any] = Field(
        default_factory=dict, description="Numbers behind figures, measured as the metrics are"
    )
    seed: int = Field(description="Seed of the training")
    wall_time: float = Field(description="Training time (s)")
    device: str = Field(description="cpu, or the name of the GPU")
    packages: dict[str, str] = Field(description="Versions of packages")
    references: list[str] = Field(description="DOIs of the methods")
    sha256: str = Field("", description="SHA-256 of weights.safetensors, set when it is saved")
    created: datetime = Field(default_factory=utc_now, description="Date (UTC)")

    @field_validator("model")
    @classmethod
    def _present_name(cls, model: str) -> str:
        return FORMER_NAMES.get(model, model)

    def ref(self) -> CheckpointRef:
        """Short reference that documents carry."""
        return CheckpointRef(name=self.name, version=self.version, sha256=self.sha256)
