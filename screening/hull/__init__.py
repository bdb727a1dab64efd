"""Convex hulls of chemical systems, each from one source of energies.

`build_hull` makes a versioned document; `energies_above` places new phases against it;
`elemental_structures` gives the crystals at its corners, to be relaxed first.
"""

from screening.crystal.elemental_structures import elemental_structures
from screening.hull.diagram import HullOptions, build_hull, energies_above
from screening.hull.entry import PhaseEntry

__all__ = [
    "HullOptions",
    "PhaseEntry",
    "build_hull",
    "elemental_structures",
    "energies_above",
]
