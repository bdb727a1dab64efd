"""The documents: what is kept in MongoDB and what passes between the stages."""

from screening.schemas.base import (
    CheckpointRef,
    Document,
    Provenance,
    Stage,
    State,
    utc_now,
)
from screening.schemas.batch import BatchDoc, EnergyBatchDoc, VerdictBatchDoc
from screening.schemas.campaign import CampaignDoc, CampaignKind, CampaignState, FunnelStage
from screening.schemas.candidate import CandidateDoc
from screening.schemas.energy import FormationEnergyDoc
from screening.schemas.formula_list import FormulaListDoc
from screening.schemas.generation import GenerationDoc
from screening.schemas.gpaw import GpawDoc
from screening.schemas.hull import HullDoc, HullEntry, ReferenceSource
from screening.schemas.material import MaterialDoc
from screening.schemas.phonon import PhononDoc, PhononVerdict
from screening.schemas.relax import RelaxationDoc, RelaxState
from screening.schemas.stability import (
    HullDistance,
    LadderDoc,
    Rung,
    RungState,
    StabilityDoc,
    StabilityProbability,
    StabilityVerdict,
)
from screening.schemas.structure import (
    OriginDoc,
    SpaceGroupDoc,
    StructureDoc,
    StructureRole,
    StructureStage,
)
from screening.schemas.symmetry import BravaisGuess, SpaceGroupGuess, SymmetryDoc
from screening.schemas.task import Attempt, TaskRecord, TaskState
from screening.schemas.validation import CalculationDoc, DftDoc
from screening.schemas.validity import ValidityDoc, ValidityReason

__all__ = [
    "Attempt",
    "BatchDoc",
    "BravaisGuess",
    "CalculationDoc",
    "CampaignDoc",
    "CampaignKind",
    "CampaignState",
    "CandidateDoc",
    "CheckpointRef",
    "DftDoc",
    "Document",
    "EnergyBatchDoc",
    "FormationEnergyDoc",
    "FormulaListDoc",
    "FunnelStage",
    "GenerationDoc",
    "GpawDoc",
    "HullDistance",
    "HullDoc",
    "HullEntry",
    "LadderDoc",
    "MaterialDoc",
    "OriginDoc",
    "PhononDoc",
    "PhononVerdict",
    "Provenance",
    "ReferenceSource",
    "RelaxState",
    "RelaxationDoc",
    "Rung",
    "RungState",
    "SpaceGroupDoc",
    "SpaceGroupGuess",
    "StabilityDoc",
    "StabilityProbability",
    "StabilityVerdict",
    "Stage",
    "State",
    "StructureDoc",
    "StructureRole",
    "StructureStage",
    "SymmetryDoc",
    "TaskRecord",
    "TaskState",
    "ValidityDoc",
    "ValidityReason",
    "VerdictBatchDoc",
    "utc_now",
]
