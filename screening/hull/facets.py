"""The lower hull as simplices, and the distance of any number of phases to it.

The hull itself is pymatgen's `PhaseDiagram` (Ong et al. 2008, doi:10.1021/cm702327g); distances are
computed for all phases together, from the simplices.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from screening.hull.entry import PhaseEntry

INSIDE = 1e-8
"""How far outside of a simplex a composition may seem to be, by rounding (atomic fraction)."""
CHUNK = 2048
"""Phases handled together, to bound the memory."""


def fractions(entries: Sequence[PhaseEntry], elements: Sequence[str]) -> NDArray[np.float64]:
    """Atomic fractions, shape ``(n, d)``, of the `elements`."""
    amounts = np.array([[e.composition.get(el, 0.0) for el in elements] for e in entries])
    amounts = amounts.reshape(len(entries), len(elements))
    shares: NDArray[np.float64] = amounts / amounts.sum(axis=1, keepdims=True)
    return shares


@dataclass(frozen=True)
class LowerHull:
    """Simplices of stable phases.

    Attributes
    ----------
    elements
        Symbols, in alphabetical order.
    vertices
        Stable phases, ordered by formula, energy and identifier.
    simplices
        Vertices of each simplex, shape ``(s, d)``, sorted.
    inverse
        Inverse of the matrix of the vertices' atomic fractions, shape ``(s, d, d)``.
    """

    elements: tuple[str, ...]
    vertices: tuple[PhaseEntry, ...]
    simplices: NDArray[np.int64]
    inverse: NDArray[np.float64]

    @classmethod
    def build(cls, entries: Sequence[PhaseEntry], elements: Sequence[str]) -> Self:
        """Build the hull; every element must have an entry of its own."""
        from pymatgen.analysis.phase_diagram import PDEntry, PhaseDiagram
        from pymatgen.core import Composition, Element

        ordered = sorted(entries, key=lambda e: (e.formula, e.ranking_energy, e.entry_id))
        phases = []
        for index, entry in enumerate(ordered):
            composition = Composition(entry.composition)
            energy = entry.ranking_energy * composition.num_atoms
            phases.append(PDEntry(composition, energy, attribute=index))
        diagram = PhaseDiagram(phases, elements=[Element(symbol) for symbol in elements])
        used = [phase.attribute for phase in diagram.qhull_entries]
        corners = {tuple(sorted(used[i] for i in facet)) for facet in diagram.facets}
        stable = sorted({index for corner in corners for index in corner})
        position = {index: k for k, index in enumerate(stable)}
        simplices = np.array([[position[i] for i in corner] for corner in sorted(corners)])
        vertices = tuple(ordered[index] for index in stable)
        matrices = fractions(vertices, elements)[simplices]
        return cls(tuple(elements), vertices, simplices, np.linalg.inv(matrices))

    def place(
        self, entries: Sequence[PhaseEntry]
    ) -> tuple[NDArray[np.float64], list[dict[str, float]]]:
        """Compare phases with the hull.

        Parameters
        ----------
        entries
            Phases of the hull's elements.

        Returns
        -------
        distances
            Energy (at a pressure: enthalpy) above the hull (eV/atom), negative below it, ``(n,)``.
        decompositions
            For each phase, the stable phases at its composition and their atomic fractions.
        """
        distances = np.empty(len(entries))
        decompositions: list[dict[str, float]] = []
        for start in range(0, len(entries), CHUNK):
            part = entries[start : start + CHUNK]
            best, shares = self._locate(fractions(part, self.elements))
            for row, (entry, simplex, share) in enumerate(zip(part, best, shares, strict=True)):
                corners = [self.vertices[k] for k in self.simplices[simplex]]
                floor = sum(
                    amount * corner.ranking_energy
                    for amount, corner in zip(share, corners, strict=True)
                )
                distances[start + row] = entry.ranking_energy - floor
                decompositions.append(
                    {
                        corner.entry_id: float(round(amount, 8))
                        for amount, corner in zip(share, corners, strict=True)
                        if amount > INSIDE
                    }
                )
        return distances, decompositions

    def _locate(self, points: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Find a simplex around each composition, and the shares of its corners."""
        shares = np.einsum("nd,sde->nse", points, self.inverse)
        worst = np.minimum(shares.min(axis=2), 0.0)
        worst[worst > -INSIDE] = 0.0  # of simplices that share a face the first one counts
        best = worst.argmax(axis=1)
        chosen = np.clip(shares[np.arange(len(points)), best], 0.0, None)
        return best, chosen / chosen.sum(axis=1, keepdims=True)
