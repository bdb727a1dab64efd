"""One minus the Dice coefficient of the contact maps of the two reduced cells, as coded.

Two atoms are in contact if their shortest distance is below the bond length that VESTA's table
has for the two elements; pairs that the table lacks, such as most metals, never are. Atoms are
compared in the order that they have in the primitive, reduced cells.

The table is the one of VESTA 2019 in pymatgen. The authors' file also has lower bounds, which are
0 in the rows that were looked at.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from screening.errors import InputError
from screening.metrics.contacts import dice

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pymatgen.core import Structure


def contact_distance(reference: Structure, predicted: Structure) -> float:
    """One minus the Dice coefficient; 0 to 1.

    Raises
    ------
    InputError
        If the reduced cells differ in size (9999 in the authors' code), or neither has a contact
        (9995).
    """
    first, second = (_contacts(structure) for structure in (reference, predicted))
    if first.shape != second.shape:
        raise InputError(
            f"reduced cells of {len(first)} and {len(second)} atoms cannot be compared "
            "(9999 in the authors' code)"
        )
    if not (first.any() or second.any()):
        raise InputError("neither cell has a contact of VESTA's table (9995 in the authors' code)")
    return 1.0 - float(dice(first, second))


@cache
def _table() -> dict[tuple[str, str], float]:
    from pymatgen.analysis.local_env import CutOffDictNN

    return dict(CutOffDictNN.from_preset("vesta_2019").cut_off_dict)


def _contacts(structure: Structure) -> NDArray[np.bool_]:
    cell = structure.get_primitive_structure().get_reduced_structure()
    names = [site.specie.symbol for site in cell]
    table = _table()
    longest = np.array(
        [[max(table.get((a, b), 0.0), table.get((b, a), 0.0)) for b in names] for a in names]
    )
    contacts = (np.asarray(cell.distance_matrix) <= longest) & (longest > 0)
    np.fill_diagonal(contacts, val=False)
    return np.asarray(contacts)
