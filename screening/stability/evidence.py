"""What the search and the potentials found for a composition, in numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from screening.energy_scale import formation_energies

if TYPE_CHECKING:
    from collections.abc import Sequence

    from screening.schemas import StructureDoc

Floats = NDArray[np.float64]

METHOD = "prototypes"
"""The method whose ranks and scores say how well the search went."""
RANKS = 5
"""Proposals that the models were trained with."""
SAME = 2e-3
"""Crystals closer in energy than this may be the same one (eV/atom)."""
JUDGED = 2
"""Lowest crystals of which a second potential computes single points."""
STRUCTURE_FEATURES, JUDGE_FEATURES = 21, 5


@dataclass(frozen=True)
class RelaxedProposal:
    """One relaxed structure with a usable energy.

    Attributes
    ----------
    energy
        By the potential that relaxed it (eV/atom).
    rank, score
        Rank (from 1) and score by `METHOD`; None where another method proposed it.
    recoloured
        Whether its template has another stoichiometry.
    converged
        Whether the relaxation converged.
    n_sites
        Atoms in the cell.
    volume_change
        Final over initial volume, minus 1.
    judge_energy
        By a second potential (eV/atom), if it was asked.
    structure_id
        Identifier of the document.
    """

    energy: float
    rank: int | None = None
    score: float | None = None
    recoloured: bool = False
    converged: bool = True
    n_sites: int = 0
    volume_change: float = 0.0
    judge_energy: float | None = None
    structure_id: str | None = None


@dataclass(frozen=True)
class StructureEvidence:
    """All relaxed structures of one composition.

    Attributes
    ----------
    engine
        Source of their energies.
    proposals
        The usable ones, lowest energy first.
    n_proposed
        Structures that were relaxed, usable or not.
    judge
        Source of the judge's energies, if one was asked.
    """

    engine: str
    proposals: tuple[RelaxedProposal, ...]
    n_proposed: int
    judge: str | None = None

    @property
    def lowest_judged(self) -> float | None:
        """Lowest energy by the judge (eV/atom)."""
        energies = [p.judge_energy for p in self.proposals if p.judge_energy is not None]
        return min(energies, default=None) if self.judge else None


@dataclass(frozen=True)
class Distances:
    """Decomposition enthalpies of n compositions with 90 % intervals (eV/atom).

    Attributes
    ----------
    energies
        Formation energies, shape ``(n,)``.
    values, lower, upper
        Formation energy and ends of its interval, minus the energy of the competing phases,
        shape ``(n,)``; NaN where there is none.
    source
        Source of the energies.
    """

    energies: Floats
    values: Floats
    lower: Floats
    upper: Floats
    source: str

    @classmethod
    def of_energies(
        cls, engine: str, formulas: Sequence[str], energies: Sequence[float | None], hull: Floats
    ) -> Distances:
        """Put energies of a potential on the scale of the diagram.

        Parameters
        ----------
        engine
            Source of the energies.
        formulas
            n formulas.
        energies
            eV/atom; None where there is none.
        hull
            Energy of the competing phases of each (eV/atom), shape ``(n,)``.
        """
        raw = np.array([np.nan if e is None else e for e in energies], dtype=np.float64)
        scaled = formation_energies(engine, list(formulas), raw)
        return cls(
            scaled.values,
            scaled.values - hull,
            scaled.lower - hull,
            scaled.upper - hull,
            scaled.source,
        )


def evidence_of(documents: Sequence[StructureDoc]) -> StructureEvidence | None:
    """Collect the relaxed structures of one composition, all from one engine at no pressure."""
    relaxed = [doc for doc in documents if doc.relaxation is not None]
    if not relaxed:
        return None
    proposals = []
    for document in relaxed:
        relaxation = document.relaxation
        if relaxation is None or not relaxation.state.usable or relaxation.energy_per_atom is None:
            continue
        ranked = [o for o in document.origins if o.method == METHOD]
        best = min(ranked, key=lambda o: o.rank, default=None)
        proposals.append(
            RelaxedProposal(
                energy=relaxation.energy_per_atom,
                rank=best.rank if best else None,
                score=best.score if best else None,
                recoloured=bool(best and best.parameters.get("recoloured")),
                converged=relaxation.state.value == "converged",
                n_sites=document.nsites,
                volume_change=relaxation.volume_change or 0.0,
                structure_id=document.structure_id,
            )
        )
    proposals.sort(key=lambda p: (p.energy, p.structure_id or ""))
    engine = relaxed[0].relaxation.source if relaxed[0].relaxation else ""
    return StructureEvidence(engine, tuple(proposals), len(relaxed))


def structure_features(
    evidences: Sequence[StructureEvidence], structure: Distances, composition: Distances
) -> Floats:
    """Describe the searches of n compositions, shape ``(n, 21)``.

    Distance by the lowest crystal with its interval, beside that by the composition model; then
    scores, ranks and energies of the proposals: how well the search went.
    """
    distance = structure.values
    columns = np.stack(
        [
            distance,
            structure.lower,
            structure.upper,
            distance - composition.values,
            structure.lower - composition.upper,
            np.maximum(distance, composition.values),
            np.minimum(distance, composition.values),
            structure.upper - structure.lower,
        ],
        axis=1,
    )
    return np.hstack([columns, np.array([_search(item) for item in evidences])])


def _search(evidence: StructureEvidence) -> list[float]:
    """Thirteen numbers of one search; NaN where something is not known."""
    proposals = evidence.proposals
    ranked = sorted(
        (p for p in proposals if p.rank is not None and p.rank <= RANKS), key=lambda p: p.rank or 0
    )
    lowest = proposals[0]
    energies = np.array([p.energy for p in proposals])
    higher = energies[energies > lowest.energy + SAME]
    scores = [p.score for p in ranked if p.score is not None]
    runner_up = scores[1] if len(scores) > 1 else np.nan
    first = scores[0] if scores else np.nan
    return [
        first,
        float(np.log(first / runner_up)) if first > 0 and runner_up > 0 else np.nan,
        float(np.sum(scores)) if scores else np.nan,
        np.nan if lowest.rank is None else lowest.rank,
        ranked[0].energy - lowest.energy if ranked else np.nan,
        float(higher.min() - lowest.energy) if len(higher) else np.nan,
        float(energies.std()),
        len(ranked),
        evidence.n_proposed - len(proposals),
        float(lowest.recoloured),
        float(np.mean([p.recoloured for p in ranked])) if ranked else np.nan,
        lowest.volume_change,
        lowest.n_sites,
    ]


def judge_features(judge: Distances, structure: Distances, composition: Distances) -> Floats:
    """Describe what the judge says of n compositions, shape ``(n, 5)``."""
    distance = judge.values
    columns = (
        distance,
        np.maximum(distance, structure.values),
        distance - composition.values,
        np.maximum(distance, composition.values),
        judge.upper,
    )
    return np.stack(columns, axis=1)
