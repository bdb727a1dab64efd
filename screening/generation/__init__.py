"""Stage `generation`: compositions, by enumeration, by MatGAN, or from a list."""

from screening.generation.generators import METHODS, CompositionGenerator, make_generator

__all__ = ["METHODS", "CompositionGenerator", "make_generator"]
