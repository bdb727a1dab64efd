"""One batch of generated compositions, packed: nothing generated is lost."""

from typing import Any

from pydantic import Field

from screening.schemas.base import CheckpointRef, Document, Provenance


class BatchDoc(Document):
    """Compositions of one batch as arrays, with verdict codes and energies beside them."""

    batch_id: str = Field(description="Key: generator, parameters, seed and number of the batch")
    method: str = Field(description="Generator")
    number: int = Field(description="Number of the batch in its campaign, from 0")
    seed: int = Field(description="Seed of the batch")
    model: CheckpointRef | None = Field(None, description="Trained generator, if any")
    n_samples: int = Field(description="Compositions sampled, before duplicates were removed")
    n: int = Field(description="Compositions kept in the arrays")
    numbers: Any = Field(description="Atomic numbers, (n, m) uint8, 0 padded")
    counts: Any = Field(description="Atoms per formula unit, (n, m) uint16")
    provenance: Provenance | None = Field(None, description="Where the document comes from")


class VerdictBatchDoc(Document):
    """Validity verdicts of one batch, with the reasons of the rejected."""

    verdict_id: str = Field(description="Key: the batch and the rules")
    batch_id: str = Field(description="The batch")
    table: str = Field(description="Oxidation-state table")
    n: int = Field(description="Compositions judged")
    n_valid: int = Field(description="Compositions accepted")
    enforced: bool = Field(True, description="Whether the rejected ones stop here")
    reasons: dict[str, int] = Field(description="How many for each reason")
    codes: Any = Field(description="Reason of each row, (n,) uint8: position in ValidityReason")
    metallicity: Any = Field(description="Metallicity score of each row, (n,) float32")
    provenance: Provenance | None = Field(None, description="Where the document comes from")


class EnergyBatchDoc(Document):
    """Predicted formation energies of the valid rows of one batch."""

    energy_id: str = Field(description="Key: the verdicts and the model")
    batch_id: str = Field(description="The batch")
    verdict_id: str = Field(description="The verdicts that chose the rows")
    model: CheckpointRef = Field(description="The model")
    reference: str = Field(description="Set of energies that the values follow")
    n: int = Field(description="Rows predicted")
    rows: Any = Field(description="Rows of the batch, (n,) uint32")
    mean: Any = Field(description="Formation energy (eV/atom), (n,) float32")
    std: Any = Field(description="Calibrated standard deviation (eV/atom), (n,) float32")
    lower90: Any = Field(description="Lower end of the 90 % interval (eV/atom), (n,) float32")
    upper90: Any = Field(description="Upper end of the 90 % interval (eV/atom), (n,) float32")
    provenance: Provenance | None = Field(None, description="Where the document comes from")
