"""Crystal structures for a composition: known prototypes, random crystals, and their pool."""

from screening.prototypes.bank import Bank
from screening.structure.pool import (
    CHECKPOINTS,
    PRESSURE_AWARE,
    available_generators,
    build_pool,
    generator_names,
    get_generator,
)
from screening.structure.request import Proposal, StructureGenerator, Target

__all__ = [
    "CHECKPOINTS",
    "PRESSURE_AWARE",
    "Bank",
    "Proposal",
    "StructureGenerator",
    "Target",
    "available_generators",
    "build_pool",
    "generator_names",
    "get_generator",
]
