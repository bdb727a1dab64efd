"""Relaxation of cell and positions with a machine-learned potential or any ASE calculator.

`relax_structures` relaxes many structures in batches; a structure that fails is a result with a
reason. `find_duplicates` and `group_duplicates` find equal crystals. `engine_id` names an energy
source.
"""

from screening.engines import engine_id, engine_names, make_engine
from screening.engines.descent.options import RelaxOptions
from screening.relax.duplicates import DuplicateOptions, find_duplicates, group_duplicates
from screening.relax.minima import Minima, MinimaOptions, relax_to_minima
from screening.relax.relaxer import RelaxResult, relax_structures

__all__ = [
    "DuplicateOptions",
    "Minima",
    "MinimaOptions",
    "RelaxOptions",
    "RelaxResult",
    "engine_id",
    "engine_names",
    "find_duplicates",
    "group_duplicates",
    "make_engine",
    "relax_structures",
    "relax_to_minima",
]
