"""The hull of the relaxing potential: what campaigns build from bank and elements."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from screening.composition import CompositionArray
from screening.elements import symbols
from screening.engines.descent.options import RelaxOptions
from screening.evaluation.stability.background import evidence_of_record
from screening.evaluation.stability.search import read_records
from screening.hull import elemental_structures
from screening.progress import report
from screening.references.simplex import lowest_mixture
from screening.relax import relax_structures

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from pymatgen.core import Structure

    from screening.prototypes.bank import Bank

Floats = NDArray[np.float64]

MAX_STEPS = 100


class OwnHull:
    """Relaxes the competing phases of compositions, each phase once.

    Parameters
    ----------
    bank
        Where known phases come from.
    engine
        The potential.
    """

    def __init__(self, bank: Bank, engine: str = "chgnet") -> None:
        self._bank, self._engine = bank, engine
        self._energies: dict[tuple[str, str, int], float] = {}

    def competing_energy(self, formula: str) -> float:
        """Energy of the lowest mixture of other phases (eV/atom), elements among them.

        NaN where the potential has no energy of an element.
        """
        numbers = [z for z in CompositionArray.from_formulas([formula]).numbers[0].tolist() if z]
        elements = [symbols()[z] for z in numbers]
        phases = list(elemental_structures(elements).values())
        phases += self._bank.without([formula]).known_phases(elements)
        energies = self._relaxed(phases)
        index = {symbol: k for k, symbol in enumerate(elements)}
        shares = np.zeros((len(phases), len(elements)))
        for row, phase in enumerate(phases):
            for element, amount in phase.composition.fractional_composition.items():
                shares[row, index[element.symbol]] = amount
        pure = np.array(
            [energies[shares[:, k] == 1].min(initial=np.inf) for k in range(len(elements))]
        )
        if not np.isfinite(pure).all():
            return float("nan")
        formation = energies - shares @ pure
        stable = np.isfinite(formation) & (formation < 0)
        packed = CompositionArray.from_formulas([formula])
        amounts = dict(zip(packed.numbers[0].tolist(), packed.fractions()[0].tolist(), strict=True))
        point = np.array([amounts[z] for z in numbers])
        lowest, _, _ = lowest_mixture(shares[stable], formation[stable], point)
        return float(lowest + point @ pure)

    def _relaxed(self, phases: Sequence[Structure]) -> Floats:
        """Energies of phases (eV/atom); infinite where a relaxation failed."""
        keys = [
            (
                phase.composition.reduced_formula,
                str(phase.properties.get("prototype")),
                round(1000 * phase.volume / len(phase)),
            )
            for phase in phases
        ]
        new = {
            key: phase for key, phase in zip(keys, phases, strict=True) if key not in self._energies
        }
        options = RelaxOptions(
            max_steps=MAX_STEPS, fix_symmetry=True, batch_size=32, keep_trajectory=False
        )
        results = relax_structures(list(new.values()), options, engine=self._engine)
        for key, result in zip(new, results, strict=True):
            energy = result.relaxation.energy_per_atom
            usable = result.relaxation.state.usable and energy is not None
            self._energies[key] = float(energy) if usable and energy is not None else np.inf
        return np.array([self._energies[key] for key in keys])


def own_hull_file(
    records: Mapping[str, Mapping[str, Any]], formulas: Sequence[str], path: Path, bank: Bank
) -> Floats:
    """Distances of formulas to the potential's own hull (eV/atom), kept in a file as they come.

    Returns
    -------
    Shape ``(n,)``; NaN where nothing was relaxed.
    """
    done = {row["formula"]: row["distance"] for row in read_records(path)}
    hull = OwnHull(bank)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        for number, formula in enumerate(formulas, start=1):
            evidence = evidence_of_record(records[formula])
            if formula not in done:
                distance = None
                if evidence is not None:
                    competing = hull.competing_energy(formula)
                    distance = evidence.proposals[0].energy - competing
                    distance = None if np.isnan(distance) else distance
                done[formula] = distance
                file.write(json.dumps({"formula": formula, "distance": distance}) + "\n")
                file.flush()
            report("stability-own-hull", number, len(formulas), formula)
    return np.array([np.nan if done[f] is None else done[f] for f in formulas])
