"""From packed rows to the documents of candidates."""

from __future__ import annotations

from typing import Any

from screening.composition import CompositionArray, pretty_formula
from screening.elements import symbols
from screening.identity import make_id
from screening.schemas import (
    BatchDoc,
    CandidateDoc,
    EnergyBatchDoc,
    FormationEnergyDoc,
    GenerationDoc,
    Stage,
    ValidityDoc,
    ValidityReason,
    VerdictBatchDoc,
)


def packed_row(
    batch: BatchDoc, verdicts: VerdictBatchDoc, energies: EnergyBatchDoc, position: int
) -> dict[str, Any]:
    """Cut one row out of packed documents: the sub-documents of a candidate.

    Parameters
    ----------
    batch, verdicts, energies
        Packed documents of one batch.
    position
        Row in `energies`, from 0.
    """
    row = int(energies.rows[position])
    reason = list(ValidityReason)[int(verdicts.codes[row])]
    return {
        "generation": GenerationDoc(
            method=batch.method,
            batch_id=batch.batch_id,
            index=row,
            seed=batch.seed,
            model=batch.model,
        ),
        "validity": ValidityDoc(
            valid=reason.valid,
            reason=reason,
            table=verdicts.table,
            metallicity=float(verdicts.metallicity[row]),
        ),
        "energy": FormationEnergyDoc(
            formation_energy_per_atom=float(energies.mean[position]),
            uncertainty=float(energies.std[position]),
            lower90=float(energies.lower90[position]),
            upper90=float(energies.upper90[position]),
            reference=energies.reference,
            model=energies.model,
        ),
    }


def candidate_document(
    campaign_id: str, formula: str, rank: int, score: float, parts: dict[str, Any]
) -> CandidateDoc:
    """Describe one chosen composition.

    Parameters
    ----------
    campaign_id
        The campaign.
    formula
        Reduced formula.
    rank
        Rank in the campaign, from 1.
    score
        What it was ranked by (eV/atom).
    parts
        Sub-documents, from `packed_row`.
    """
    counts = CompositionArray.from_formulas([formula])
    pretty = pretty_formula(formula)
    elements = sorted(symbols()[z] for z in counts.numbers[0] if z)
    return CandidateDoc(
        candidate_id=make_id("cand", campaign_id, pretty),
        campaign_id=campaign_id,
        formula=pretty,
        chemsys="-".join(elements),
        elements=elements,
        nelements=len(elements),
        natoms_formula=int(counts.n_atoms()[0]),
        score=score,
        rank=rank,
        stage=Stage.ENERGY,
        **parts,
    )
