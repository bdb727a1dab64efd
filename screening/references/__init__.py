"""Known compositions with the lowest DFT formation energy of each, and distances to their hull.

`reference_table` gives the bundled table or a user's own; `place_compositions` and `distances`
compare compositions and crystals with it, offline.
"""

from screening.references.diagram import (
    Diagram,
    Phase,
    Placement,
    distances,
    place_compositions,
)
from screening.references.table import ReferenceTable, reference_table

__all__ = [
    "Diagram",
    "Phase",
    "Placement",
    "ReferenceTable",
    "distances",
    "place_compositions",
    "reference_table",
]
