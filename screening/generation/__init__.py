"""Stage `generation`: compositions, by enumeration, by a trained network, or from a list."""

from screening.generation.generators import (
    CHECKPOINTS,
    METHODS,
    CompositionGenerator,
    make_generator,
)

__all__ = ["CHECKPOINTS", "METHODS", "CompositionGenerator", "make_generator"]
