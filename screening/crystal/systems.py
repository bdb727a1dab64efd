"""Crystal systems and families of the space groups, by their numbers."""

from __future__ import annotations

_LAST = {
    2: "triclinic",
    15: "monoclinic",
    74: "orthorhombic",
    142: "tetragonal",
    167: "trigonal",
    194: "hexagonal",
    230: "cubic",
}
"""Last space group of each crystal system, in the order of the International Tables."""

FAMILIES = ("triclinic", "monoclinic", "orthorhombic", "tetragonal", "hexagonal", "cubic")
"""Crystal families, which share the shape of the conventional cell."""


def crystal_system(number: int) -> str:
    """Name the crystal system of a space group.

    >>> crystal_system(166), crystal_system(225)
    ('trigonal', 'cubic')
    """
    return next(system for last, system in _LAST.items() if number <= last)


def crystal_family(number: int) -> str:
    """Name the crystal family of a space group: trigonal groups have hexagonal axes.

    >>> crystal_family(166)
    'hexagonal'
    """
    system = crystal_system(number)
    return "hexagonal" if system == "trigonal" else system
