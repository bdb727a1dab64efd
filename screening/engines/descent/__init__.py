"""The way down: FIRE for cell and positions of many crystals, under symmetry, with any engine."""

from screening.engines.descent.batch import relax_batch
from screening.engines.descent.options import RelaxOptions

__all__ = ["RelaxOptions", "relax_batch"]
