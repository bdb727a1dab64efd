"""Stage `generation`: compositions, by enumeration, by a trained network, or from a list."""

from screening.generation.generators import METHODS, CompositionGenerator, make_generator
from screening.generation.networks import CHECKPOINTS

__all__ = ["CHECKPOINTS", "METHODS", "CompositionGenerator", "make_generator"]
