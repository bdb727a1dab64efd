"""How many known compounds a hull has, and in which systems it has none.

A hull of candidates and elements alone is drawn at the height of the candidates: a distance to it
says little where the known compounds of a subsystem are missing.
"""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from screening.schemas.hull import HullEntry

SIZES = (2, 3)
"""Systems of these numbers of elements are looked at."""


def n_references(entries: Iterable[HullEntry], elements: Iterable[str]) -> int:
    """Count the reference compounds that are made of these elements only.

    Parameters
    ----------
    entries
        Entries of a hull.
    elements
        Symbols.
    """
    return sum(system <= set(elements) for system in _reference_systems(entries))


def systems_without_reference(entries: Iterable[HullEntry], elements: Sequence[str]) -> list[str]:
    """List the binary and ternary systems of these elements with no reference compound.

    Parameters
    ----------
    entries
        Entries of a hull.
    elements
        Symbols.

    Returns
    -------
    list of str
        Such as ``["Mn-S"]``, the binary systems first.
    """
    systems = set(_reference_systems(entries))
    return [
        "-".join(system)
        for size in SIZES
        for system in combinations(sorted(elements), size)
        if frozenset(system) not in systems
    ]


def _reference_systems(entries: Iterable[HullEntry]) -> list[frozenset[str]]:
    """Take the elements of each reference compound."""
    return [
        frozenset(entry.composition)
        for entry in entries
        if entry.known_as and len(entry.composition) > 1
    ]
