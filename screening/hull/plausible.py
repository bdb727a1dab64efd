"""Energies too low to be true: a potential that fell into a hole must not become a hull.

The bound was drawn under the formation energies of the 117,964 crystals of `matbench_mp_e_form`
(doi:10.1038/s41524-020-00406-3): none of them is below it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from screening.elements import atomic_number, column

if TYPE_CHECKING:
    from collections.abc import Iterable

NEUTRAL, SLOPE, DEEPEST = 1.5, 1.5, 4.6
"""eV/atom without electronegativity difference, its slope per Pauling unit, and the floor."""


def lowest_known(elements: Iterable[str]) -> float:
    """Bound below which no known compound of such elements lies (formation energy, eV/atom).

    ``-min(4.6, 1.5 + 1.5 x)`` with x the largest difference of Pauling electronegativities. Noble
    gases without one count as 4.
    """
    numbers = [atomic_number(symbol) for symbol in elements]
    values = np.nan_to_num(column("pymatgen_electronegativity")[numbers], nan=4.0)
    return -min(DEEPEST, NEUTRAL + SLOPE * float(np.ptp(values)))


def implausible(formation_energy: float, elements: Iterable[str], margin: float) -> str | None:
    """Say why a formation energy cannot be right: it is below the bound by `margin` (eV/atom)."""
    bound = lowest_known(elements)
    if formation_energy >= bound - margin:
        return None
    return (
        f"formation energy {formation_energy:.2f} eV/atom: no known compound of elements with such "
        f"electronegativities is below {bound:.2f}, so the potential has failed"
    )
