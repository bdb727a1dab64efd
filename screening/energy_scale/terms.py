"""Terms of a composition that tell one energy scale from another: elements, anions, Hubbard U.

Two sources of energies of the same crystals differ, to first order, by an energy for each atom of
an element, by one for each anion, where one source contains corrections of the anions, and by one
for each transition metal that has a Hubbard U in its oxides and fluorides (Jain et al. 2011,
doi:10.1103/PhysRevB.84.045115; Wang et al. 2021, doi:10.1038/s41598-021-94550-5).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from screening.elements import MAX_Z, atomic_number, column, symbols

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from screening.composition import CompositionArray

ANIONS = ("O", "S", "F", "Cl", "Br", "I", "N", "Se", "Si", "Sb", "Te", "H")
"""Elements that the MP2020 corrections know as anions."""
HUBBARD = ("V", "Cr", "Mn", "Fe", "Co", "Ni", "W", "Mo")
"""Metals that the Materials Project computes with a Hubbard U ..."""
HUBBARD_ANIONS = ("O", "F")
"""... where one of these is the anion."""
OXOANIONS = tuple(symbol for symbol in ANIONS if symbol not in HUBBARD_ANIONS)
"""Elements that are anions beside some O or F (oxychlorides), but not inside of an oxoanion."""
MIN_LIGANDS = 2.5
"""O or F for each atom of such an element, from which on it counts as the centre of an oxoanion."""


def term_names() -> tuple[str, ...]:
    """Names of the columns of `term_matrix`: ``Li``, ``O anion``, ``Fe +U``, ``S in oxoanion``."""
    anions = (f"{symbol} anion" for symbol in ANIONS)
    centres = (f"{symbol} in oxoanion" for symbol in OXOANIONS)
    return (*symbols()[1:], *anions, *(f"{symbol} +U" for symbol in HUBBARD), *centres)


def term_matrix(compositions: CompositionArray) -> NDArray[np.float64]:
    """Atomic fractions by element, of anions, of metals with a Hubbard U, and in oxoanions.

    Parameters
    ----------
    compositions
        n compositions.

    Returns
    -------
    Shape ``(n, 133)``, columns as in `term_names`. An element has no anion.
    """
    fractions = element_fractions(compositions)
    anion = anions(compositions)
    columns = [fractions[:, 1:]]
    for symbol in ANIONS:
        number = atomic_number(symbol)
        columns.append((fractions[:, number] * (anion == number))[:, None])
    corrected = np.isin(anion, [atomic_number(symbol) for symbol in HUBBARD_ANIONS])
    metals = [atomic_number(symbol) for symbol in HUBBARD]
    columns.append(fractions[:, metals] * corrected[:, None])
    centres = [atomic_number(symbol) for symbol in OXOANIONS]
    ligands = np.take_along_axis(fractions, anion[:, None], axis=1) * corrected[:, None]
    columns.append(
        fractions[:, centres]
        * (ligands >= MIN_LIGANDS * fractions[:, centres])
        * corrected[:, None]
    )
    return np.concatenate(columns, axis=1)


def element_fractions(compositions: CompositionArray) -> NDArray[np.float64]:
    """Atomic fractions indexed by atomic number, shape ``(n, MAX_Z + 1)``; column 0 is empty."""
    fractions = np.zeros((len(compositions), MAX_Z + 1))
    rows = np.arange(len(compositions))[:, None]
    np.add.at(fractions, (rows, compositions.numbers), compositions.fractions())
    fractions[:, 0] = 0.0
    return fractions


def anions(compositions: CompositionArray) -> NDArray[np.int64]:
    """Atomic number of the most electronegative element (Pauling), 0 for an element, ``(n,)``."""
    negativity = np.nan_to_num(column("pymatgen_electronegativity"), nan=0.0)
    values = np.where(compositions.numbers > 0, negativity[compositions.numbers], -1.0)
    strongest = np.take_along_axis(compositions.numbers, values.argmax(axis=1)[:, None], axis=1)[
        :, 0
    ].astype(np.int64)
    return np.where(compositions.n_elements() > 1, strongest, 0)
