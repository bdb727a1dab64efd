"""Sources of energies, forces and stresses, shared by relaxation and phonons.

`make_engine` gives batched CHGNet or any ASE calculator behind one interface; `engine_id` names
the source without loading it.
"""

from screening.engines.base import GPA_PER_EV_A3, Crystal, Engine, Evaluation
from screening.engines.registry import EngineSpec, engine_id, engine_names, make_engine

__all__ = [
    "GPA_PER_EV_A3",
    "Crystal",
    "Engine",
    "EngineSpec",
    "Evaluation",
    "engine_id",
    "engine_names",
    "make_engine",
]
