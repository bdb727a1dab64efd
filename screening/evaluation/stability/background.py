"""What is known of a composition, and what was found for it, from models and records."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from screening.composition import CompositionArray
from screening.energy.model import EnergyModel
from screening.references import reference_table
from screening.stability.composition import locate
from screening.stability.evidence import (
    JUDGED,
    METHOD,
    Distances,
    RelaxedProposal,
    StructureEvidence,
)
from screening.stability.model import Background

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from screening.references import ReferenceTable

REFERENCE = "mp2020"
"""Corrections that the predicted formation energies follow: those of the diagram."""


def background_of(
    formulas: Sequence[str],
    *,
    table: ReferenceTable | None = None,
    energy: EnergyModel | None = None,
) -> Background:
    """Place formulas in the diagram, each without itself, and predict their formation energies.

    Parameters
    ----------
    formulas
        n formulas.
    table
        The known compounds; the bundled ones if left out.
    energy
        The composition model; the bundled one if left out.
    """
    compositions = CompositionArray.from_formulas(list(formulas)).reduced()
    locations = locate(table or reference_table(), compositions)
    hull = np.array([item.competing_energy for item in locations])
    model = energy or EnergyModel.load()
    prediction = model.predict(compositions, reference=REFERENCE)
    mean = prediction.mean.astype(np.float64)
    distances = Distances(
        mean,
        mean - hull,
        prediction.lower90.astype(np.float64) - hull,
        prediction.upper90.astype(np.float64) - hull,
        f"{prediction.model.name} {prediction.model.version}, {REFERENCE}",
    )
    return Background(compositions, locations, distances, prediction.std.astype(np.float64))


def evidence_of_record(record: Mapping[str, Any]) -> StructureEvidence | None:
    """Read the relaxed structures of a record; None where none has a usable energy."""
    proposals = []
    for number, row in enumerate(record["structures"]):
        if row["energy"] is None or row["state"] not in {"converged", "not_converged"}:
            continue
        origin: dict[str, Any] = next((o for o in row["origins"] if o["method"] == METHOD), {})
        proposals.append(
            RelaxedProposal(
                energy=row["energy"],
                rank=origin.get("rank"),
                score=origin.get("score"),
                recoloured=bool(origin.get("recoloured")),
                converged=row["state"] == "converged",
                n_sites=row["nsites"],
                volume_change=row["volume_change"] or 0.0,
                structure_id=str(number),
            )
        )
    if not proposals:
        return None
    proposals.sort(key=lambda p: (p.energy, p.structure_id or ""))
    engine = record["structures"][0]["engine"]
    return StructureEvidence(engine, tuple(proposals), len(record["structures"]))


def with_judge(
    evidence: StructureEvidence, judge: str, energies: Mapping[str, float]
) -> StructureEvidence:
    """Add single points of a second potential to the lowest crystals (eV/atom, by structure)."""
    proposals = [
        replace(p, judge_energy=energies.get(p.structure_id or "")) if k < JUDGED else p
        for k, p in enumerate(evidence.proposals)
    ]
    return replace(evidence, proposals=tuple(proposals), judge=judge)
