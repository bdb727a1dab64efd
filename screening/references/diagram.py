"""Where compositions and crystals lie against a diagram of reference compounds.

Decomposition energies follow Bartel et al. 2020 (doi:10.1038/s41524-020-00362-y): the distance to
the hull for what is above it, and for a stable compound, how far it is below the hull without it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from screening.composition import CompositionArray
from screening.elements import symbols
from screening.references.simplex import lowest_mixture

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from numpy.typing import ArrayLike, NDArray

    from screening.references.table import ReferenceTable


@dataclass(frozen=True)
class Phase:
    """A compound that joins the reference compounds: relaxed by a potential, or a user's own.

    Attributes
    ----------
    formula
        Canonical reduced formula (`CompositionArray.formulas`).
    energy
        Formation energy on the scale of the table (eV/atom).
    label
        Its name in decompositions; the formula if left out.
    """

    formula: str
    energy: float
    label: str = ""


@dataclass(frozen=True)
class Placement:
    """One composition against the diagram.

    Attributes
    ----------
    formula
        Canonical reduced formula.
    known_energy
        Lowest formation energy of the composition in the table (eV/atom); None where the table
        does not list it.
    hull_energy
        Formation energy of the hull at the composition, with its own compounds (eV/atom).
    competing_energy
        The same without any compound of the composition: what it would decompose to.
    products
        These phases and their atomic fractions; of elements the symbol.
    """

    formula: str
    known_energy: float | None
    hull_energy: float
    competing_energy: float
    products: dict[str, float]

    def above_hull(self, energy: float) -> float:
        """Distance of a crystal to the hull (eV/atom), 0 where it is on it or below.

        Parameters
        ----------
        energy
            Formation energy on the scale of the table (eV/atom).
        """
        return max(0.0, energy - self.hull_energy)

    def decomposition_enthalpy(self, energy: float) -> float:
        """Energy of a crystal minus that of its products (eV/atom): negative when it is stable."""
        return energy - self.competing_energy

    @property
    def known_above_hull(self) -> float | None:
        """Distance of the known compound to the hull (eV/atom)."""
        return None if self.known_energy is None else self.above_hull(self.known_energy)


class Diagram:
    """Reference compounds of one chemical system, ready for many compositions.

    Parameters
    ----------
    table
        The reference compounds.
    elements
        Symbols of the system, in any order.
    extra
        Compounds that join them; those of other systems are passed over.
    exclude
        Formulas, as anybody writes them, of which nothing may be used.
    """

    def __init__(
        self,
        table: ReferenceTable,
        elements: Iterable[str],
        *,
        extra: Iterable[Phase] = (),
        exclude: Collection[str] = (),
    ) -> None:
        self.elements = tuple(sorted(set(elements)))
        rows = table.system_rows(self.elements)
        self._known = dict(
            zip(table.compositions[rows].formulas(), table.energies[rows].tolist(), strict=True)
        )
        out = set(_canonical(exclude))
        self._known = {name: energy for name, energy in self._known.items() if name not in out}
        joined = [Phase(name, energy) for name, energy in self._known.items()]
        joined += [p for p in extra if p.formula not in out and self._holds(p.formula)]
        # nothing at or above the elements' plane can be on the hull
        self._phases = [phase for phase in joined if phase.energy < 0]
        self._formulas = np.array([phase.formula for phase in self._phases], dtype=object)
        self._fractions = self.fractions([phase.formula for phase in self._phases])
        self._energies = np.array([phase.energy for phase in self._phases])

    def _holds(self, formula: str) -> bool:
        numbers = CompositionArray.from_formulas([formula]).numbers[0]
        names = {symbols()[z] for z in numbers.tolist() if z}
        return len(names) > 1 and names <= set(self.elements)

    def fractions(self, formulas: Sequence[str]) -> NDArray[np.float64]:
        """Atomic fractions of the system's elements, shape ``(n, d)``."""
        position = {symbol: k for k, symbol in enumerate(self.elements)}
        packed = CompositionArray.from_formulas(list(formulas))
        shares = np.zeros((len(formulas), len(self.elements)))
        for row, (numbers, amounts) in enumerate(
            zip(packed.numbers.tolist(), packed.fractions().tolist(), strict=True)
        ):
            for number, amount in zip(numbers, amounts, strict=True):
                if number:
                    shares[row, position[symbols()[number]]] = amount
        return shares

    def place(self, formula: str) -> Placement:
        """Place one composition, which may lack elements of the system.

        Raises
        ------
        InputError
            If it is no formula.
        KeyError
            If it has an element that the system has not.
        """
        name = _canonical([formula])[0]
        point = self.fractions([name])[0]
        inside = (self._fractions[:, point == 0] == 0).all(axis=1)
        other = inside & (self._formulas != name)
        competing, products = self._lowest(point, other)
        same = self._energies[inside & ~other]
        hull = min(competing, float(same.min())) if len(same) else competing
        return Placement(name, self._known_energy(name, point), hull, competing, products)

    def _known_energy(self, name: str, point: NDArray[np.float64]) -> float | None:
        """Energy of the composition in the table; an element is at 0."""
        return 0.0 if (point > 0).sum() == 1 else self._known.get(name)

    def _lowest(
        self, point: NDArray[np.float64], rows: NDArray[np.bool_]
    ) -> tuple[float, dict[str, float]]:
        present = point > 0
        usable = np.flatnonzero(rows)
        energy, phases, shares = lowest_mixture(
            self._fractions[np.ix_(usable, present)], self._energies[usable], point[present]
        )
        elements = [el for el, is_present in zip(self.elements, present, strict=True) if is_present]
        names = [
            elements[-1 - k] if k < 0 else self._label(self._phases[usable[k]])
            for k in phases.tolist()
        ]
        order = sorted(zip(names, shares.tolist(), strict=True))
        return energy, {name: round(share, 8) for name, share in order}

    @staticmethod
    def _label(phase: Phase) -> str:
        return phase.label or phase.formula


def place_compositions(
    table: ReferenceTable,
    formulas: Sequence[str],
    *,
    extra: Iterable[Phase] = (),
    exclude: Collection[str] = (),
    exclude_own: bool = False,
) -> list[Placement]:
    """Place many compositions, each against the compounds of its own chemical system.

    Parameters
    ----------
    table
        The reference compounds.
    formulas
        n formulas.
    extra
        Compounds that join the reference compounds.
    exclude
        Formulas of which nothing may be used, for all of the compositions.
    exclude_own
        Forget each composition itself: as if it were not known. `Placement.hull_energy` is then
        `Placement.competing_energy`, and `Placement.known_energy` is None.

    Raises
    ------
    InputError
        If a text is no formula.
    """
    names = _canonical(formulas)
    added = tuple(extra)
    packed = CompositionArray.from_formulas(names)
    diagrams: dict[tuple[int, ...], Diagram] = {}
    placed = []
    for name, numbers in zip(names, packed.numbers.tolist(), strict=True):
        key = tuple(z for z in numbers if z)
        if key not in diagrams:
            elements = [symbols()[z] for z in key]
            diagrams[key] = Diagram(table, elements, extra=added, exclude=exclude)
        placement = diagrams[key].place(name)
        if exclude_own:
            placement = Placement(
                name,
                None,
                placement.competing_energy,
                placement.competing_energy,
                placement.products,
            )
        placed.append(placement)
    return placed


def distances(
    table: ReferenceTable,
    formulas: Sequence[str],
    energies: ArrayLike,
    *,
    exclude: Collection[str] = (),
    exclude_own: bool = False,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Distances to the hull and decomposition enthalpies of many crystals.

    Parameters
    ----------
    table, formulas, exclude, exclude_own
        As in `place_compositions`.
    energies
        Formation energies on the scale of the table (eV/atom), shape ``(n,)``.

    Returns
    -------
    above_hull
        eV/atom, at least 0, shape ``(n,)``.
    decomposition
        Decomposition enthalpy (eV/atom), shape ``(n,)``: negative when stable.
    """
    values = np.asarray(energies, dtype=np.float64)
    placed = place_compositions(table, formulas, exclude=exclude, exclude_own=exclude_own)
    hull = np.array([placement.hull_energy for placement in placed])
    competing = np.array([placement.competing_energy for placement in placed])
    return np.maximum(values - hull, 0.0), values - competing


def _canonical(formulas: Iterable[str]) -> list[str]:
    """Write formulas reduced and in the order of the table."""
    texts = list(formulas)
    return CompositionArray.from_formulas(texts).reduced().formulas() if texts else []
