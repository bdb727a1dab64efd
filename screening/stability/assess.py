"""Probabilities, verdicts and documents of compositions, from all the evidence that there is."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from screening.composition import chemical_system, pretty_formula
from screening.energy_scale import energy_scale
from screening.identity import make_id
from screening.schemas.stability import (
    BY_DFT,
    BY_PROBABILITY,
    HullDistance,
    StabilityDoc,
    StabilityProbability,
    StabilityVerdict,
)
from screening.stability.evidence import Distances
from screening.stability.model import LEVELS, Findings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from screening.references import ReferenceTable
    from screening.stability.evidence import StructureEvidence
    from screening.stability.model import Background, StabilityModel

Floats = NDArray[np.float64]

DECIDED = 0.5
"""Probability from which a composition is called stable (or near the hull)."""
EVIDENCE = {
    "composition": "composition",
    "structures": "composition and relaxed structures",
    "judge": "composition, relaxed structures and a second potential",
}


@dataclass(frozen=True)
class Assessment:
    """Probabilities and distances of n compositions.

    Attributes
    ----------
    probability, by_composition
        Within 0, 25 and 100 meV/atom of the hull, shape ``(n, 3)``.
    kinds
        Kind of evidence behind each, shape ``(n,)``.
    structure, judge
        Distances by relaxed structures and by the judge, NaN where there is none; None if nowhere.
    """

    probability: Floats
    by_composition: Floats
    kinds: NDArray[np.object_]
    structure: Distances | None = None
    judge: Distances | None = None

    def best_distances(self, background: Background) -> Floats:
        """Distance to the hull by the best source that there is (eV/atom), shape ``(n,)``."""
        best = background.composition.values
        for better in (self.structure, self.judge):
            if better is not None:
                best = np.where(np.isfinite(better.values), better.values, best)
        return np.maximum(best, 0.0)


def findings_of(evidences: Sequence[StructureEvidence], background: Background) -> Findings:
    """Put the energies of searches on the scale of the diagram.

    All have one engine; where all have one judge, its energies count too.
    """
    formulas = background.compositions.formulas()
    hull = np.array([item.competing_energy for item in background.locations])
    energies = [item.proposals[0].energy for item in evidences]
    structure = Distances.of_energies(evidences[0].engine, formulas, energies, hull)
    judges = {item.judge for item in evidences}
    judge = next(iter(judges)) if len(judges) == 1 else None
    if judge is None:
        return Findings(evidences, structure)
    lowest = [item.lowest_judged for item in evidences]
    return Findings(evidences, structure, Distances.of_energies(judge, formulas, lowest, hull))


def assess(
    model: StabilityModel,
    background: Background,
    evidences: Sequence[StructureEvidence | None],
    prevalence: float | None = None,
) -> Assessment:
    """Give each composition the probability from the most evidence that it has.

    Structures count where they were relaxed by the potential that the model was trained with, and
    the judge where it is the model's.

    Parameters
    ----------
    model
        The model.
    background
        What is known of n compositions.
    evidences
        Their relaxed structures; None where there are none.
    prevalence
        Share of stable compositions among those that are asked about; None for that of the
        training set.
    """
    scores = model.scores(background)
    by_composition = model.probabilities("composition", scores, prevalence)
    probability = by_composition.copy()
    kinds = np.full(len(evidences), "composition", dtype=object)
    structure: Distances | None = None
    judge: Distances | None = None
    for kind in model.kinds[1:]:
        rows, items = _usable(model, kind, evidences)
        if not len(rows):
            continue
        assessment = findings_of(items, background[rows])
        better = model.structure_scores(kind, scores[rows], background[rows], assessment)
        last = assessment.judge if assessment.judge is not None else assessment.structure
        finite = np.isfinite(last.values)
        probability[rows[finite]] = model.probabilities(kind, better, prevalence)[finite]
        kinds[rows[finite]] = kind
        if kind == "structures":
            structure = _spread_out(last, rows, len(evidences))
        else:
            judge = _spread_out(last, rows, len(evidences))
    return Assessment(probability, by_composition, kinds, structure, judge)


def _usable(
    model: StabilityModel, kind: str, evidences: Sequence[StructureEvidence | None]
) -> tuple[NDArray[np.int64], list[StructureEvidence]]:
    """Rows whose evidence a kind can use, and that evidence."""
    rows, items = [], []
    for row, item in enumerate(evidences):
        if item is None or not item.proposals or item.engine != model.engine:
            continue
        if kind == "structures":
            rows.append(row)
            items.append(replace(item, judge=None))
        elif item.judge == model.judge and item.lowest_judged is not None:
            rows.append(row)
            items.append(item)
    names = {items[0].engine, *([items[0].judge] if kind == "judge" else [])} if items else set()
    if any(name is None or energy_scale(name) is None for name in names):
        return np.zeros(0, dtype=np.int64), []
    return np.array(rows, dtype=np.int64), items


def _spread_out(distances: Distances, rows: NDArray[np.int64], n: int) -> Distances:
    """Put distances of some rows among n, the others NaN."""

    def whole(values: Floats) -> Floats:
        column = np.full(n, np.nan)
        column[rows] = values
        return column

    return Distances(
        whole(distances.energies),
        whole(distances.values),
        whole(distances.lower),
        whole(distances.upper),
        distances.source,
    )


def stability_documents(
    model: StabilityModel,
    background: Background,
    evidences: Sequence[StructureEvidence | None],
    table: ReferenceTable,
    prevalence: float | None = None,
) -> list[StabilityDoc]:
    """Write the documents of n compositions; see `assess` for the arguments."""
    assessment = assess(model, background, evidences, prevalence)
    return [
        _document(
            row,
            assessment,
            model,
            background,
            evidence=evidences[row],
            table=table,
            prevalence=prevalence,
        )
        for row in range(len(evidences))
    ]


def _document(
    row: int,
    assessment: Assessment,
    model: StabilityModel,
    background: Background,
    *,
    evidence: StructureEvidence | None,
    table: ReferenceTable,
    prevalence: float | None,
) -> StabilityDoc:
    location = background.locations[row]
    formula = pretty_formula(location.placement.formula)
    structure = _distance(assessment.structure, row)
    probability = _probability(assessment.probability[row])
    by_composition = _probability(assessment.by_composition[row])
    composition = _distance(background.composition, row)
    assert composition is not None
    assumed = model.prevalence[0] if prevalence is None else prevalence
    known_distance = known_above_hull(background, row)
    by_dft = known_distance is not None and not (
        structure is not None and structure.upper90 < known_distance  # a lower crystal, it seems
    )
    lowest = evidence.proposals[0] if evidence and evidence.proposals else None
    proposals = evidence.proposals if evidence else ()
    identity = make_id(
        "stab", location.placement.formula, sorted(str(p.structure_id) for p in proposals),
        model.ref.sha256, table.ref.sha256, assumed, str(assessment.kinds[row]),
    )  # fmt: skip
    return StabilityDoc(
        stability_id=identity,
        formula=formula,
        chemsys=chemical_system(formula),
        structure_id=lowest.structure_id if lowest else None,
        energy_source=evidence.engine if evidence else None,
        probability=probability,
        by_composition=by_composition,
        verdict=verdict_of_known(known_distance)
        if by_dft and known_distance is not None
        else verdict_of(probability, by_composition, composition, structure),
        verdict_by=BY_DFT if by_dft else BY_PROBABILITY,
        prevalence=assumed,
        composition_distance=composition,
        structure_distance=structure,
        judge_distance=_distance(assessment.judge, row),
        evidence=EVIDENCE[str(assessment.kinds[row])],
        n_structures=len(proposals),
        competing_phases=location.placement.products,
        known_above_hull=known_distance,
        reference=table.source,
        scale=table.scale,
        n_references=location.n_references,
        systems_without_reference=list(location.empty_systems),
        model=model.ref,
    )


def known_above_hull(background: Background, row: int) -> float | None:
    """DFT distance of a composition that the diagram lists (eV/atom), without its own entry."""
    placement = background.locations[row].placement
    energy = placement.known_energy
    return None if energy is None else max(0.0, energy - placement.competing_energy)


def _probability(values: Floats) -> StabilityProbability:
    on_hull, within_25, within_100 = np.clip(values, 0.0, 1.0).tolist()
    return StabilityProbability(on_hull=on_hull, within_25=within_25, within_100=within_100)


def _distance(distances: Distances | None, row: int) -> HullDistance | None:
    if distances is None or not np.isfinite(distances.values[row]):
        return None
    return HullDistance(
        source=distances.source,
        formation_energy_per_atom=float(distances.energies[row]),
        decomposition_enthalpy=float(distances.values[row]),
        lower90=float(distances.lower[row]),
        upper90=float(distances.upper[row]),
    )


def verdict_of_known(distance: float) -> StabilityVerdict:
    """Say what the DFT distance of a known compound (eV/atom) comes to."""
    on_hull, close_by, metastable = LEVELS
    if distance <= on_hull:
        return StabilityVerdict.STABLE
    if distance <= close_by:
        return StabilityVerdict.NEAR_HULL
    return StabilityVerdict.METASTABLE if distance <= metastable else StabilityVerdict.UNSTABLE


def verdict_of(
    probability: StabilityProbability,
    by_composition: StabilityProbability,
    composition: HullDistance,
    structure: HullDistance | None,
) -> StabilityVerdict:
    """Say what probabilities and distances come to.

    A structure was probably not found where the composition is likely stable and either there is no
    structure, or the lowest one lies above everything that the composition model allows.
    """
    if probability.on_hull >= DECIDED and structure is not None:
        return StabilityVerdict.STABLE
    missed = structure is None or structure.lower90 > composition.upper90
    if missed and by_composition.on_hull >= DECIDED:
        return StabilityVerdict.STRUCTURE_NOT_FOUND
    if probability.within_25 >= DECIDED:
        return StabilityVerdict.NEAR_HULL
    if probability.within_100 >= DECIDED:
        return StabilityVerdict.METASTABLE
    return StabilityVerdict.UNSTABLE
