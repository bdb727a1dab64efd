"""Where a composition was sampled."""

from pydantic import Field

from screening.schemas.base import CheckpointRef, Document


class GenerationDoc(Document):
    """The sample that a candidate comes from."""

    method: str = Field(description="Generator: enumeration, autoregressive, matgan, formulas, ...")
    batch_id: str = Field(description="Batch that holds the sample")
    index: int = Field(description="Row of the sample in its batch, from 0")
    seed: int | None = Field(None, description="Seed of the batch")
    model: CheckpointRef | None = Field(None, description="Trained generator, if any")
