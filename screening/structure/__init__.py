"""Crystal structures for a composition: known prototypes, random crystals, and their pool."""

from screening.structure.bank import Bank
from screening.structure.pool import build_pool, generator_names, get_generator
from screening.structure.target import Proposal, StructureGenerator, Target

__all__ = [
    "Bank",
    "Proposal",
    "StructureGenerator",
    "Target",
    "build_pool",
    "generator_names",
    "get_generator",
]
