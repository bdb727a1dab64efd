"""How sure are we: calibrated probabilities of stability, and the ladder of evidence."""

from screening.stability.assess import Assessment, assess, stability_documents, verdict_of
from screening.stability.evidence import RelaxedProposal, StructureEvidence, evidence_of
from screening.stability.ladder import climb
from screening.stability.model import Background, StabilityModel, stability_model

__all__ = [
    "Assessment",
    "Background",
    "RelaxedProposal",
    "StabilityModel",
    "StructureEvidence",
    "assess",
    "climb",
    "evidence_of",
    "stability_documents",
    "stability_model",
    "verdict_of",
]
