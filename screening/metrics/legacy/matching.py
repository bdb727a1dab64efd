"""StructureMatcher's distances with very wide tolerances (0.6, 0.6, 20 degrees), as coded.

So wide a matcher maps crystals onto each other that are not alike; the distance is in units of
(volume/atom)^(1/3) after the volumes were made equal.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from screening.errors import InputError

if TYPE_CHECKING:
    from pymatgen.core import Structure

TOLERANCES = (0.6, 0.6, 20.0)
"""ltol, stol and angle_tol (degrees)."""


@cache
def _matcher() -> Any:
    from pymatgen.analysis.structure_matcher import StructureMatcher

    ltol, stol, angle = TOLERANCES
    return StructureMatcher(ltol=ltol, stol=stol, angle_tol=angle)


def rms(reference: Structure, predicted: Structure) -> float:
    """Root mean square distance, 0 to 0.6.

    Raises
    ------
    InputError
        If they do not match (None in the authors' tables).
    """
    found = _matcher().get_rms_dist(reference, predicted)
    if found is None:
        raise InputError("no match at (0.6, 0.6, 20) (None in the authors' tables)")
    return float(found[0])


def rms_anonymous(reference: Structure, predicted: Structure) -> float:
    """Least root mean square distance when elements may be exchanged for each other, 0 to 0.6.

    Raises
    ------
    InputError
        If they do not match (empty in the authors' tables).
    """
    found = _matcher().get_rms_anonymous(reference, predicted)
    if found is None or found[0] is None:
        raise InputError("no anonymous match at (0.6, 0.6, 20) (empty in the authors' tables)")
    return float(found[0])
