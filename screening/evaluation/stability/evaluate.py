"""Stability of formulas that nothing has seen, against DFT: ``screening evaluate stability``."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from screening.checkpoints.io import file_sha256
from screening.energy.model import EnergyModel
from screening.engines import engine_id
from screening.errors import EngineError, InputError
from screening.evaluation.stability.background import background_of, evidence_of_record, with_judge
from screening.evaluation.stability.figures import (
    all_figures,
    decision_figures,
    figure_intervals,
    reliability,
)
from screening.evaluation.stability.judge import judge_file
from screening.evaluation.stability.search import (
    FormulaSearch,
    SearchOptions,
    read_records,
    search_formulas,
)
from screening.evaluation.stability.self_hull import own_hull_file
from screening.identity import content_hash
from screening.references import place_compositions, reference_table
from screening.stability.assess import Assessment, assess
from screening.stability.model import CHECKPOINT, StabilityModel
from screening.training.data import canonical_formulas, read_table, unseen
from screening.training.request import parse_options, plain_metrics

if TYPE_CHECKING:
    from screening.stability.evidence import StructureEvidence
    from screening.stability.model import Background
    from screening.training.request import EvaluateRequest

Floats = NDArray[np.float64]

SMALL_CELL = 10
"""Atoms of the formula up to which a cell counts as small."""


class EvaluateStabilityOptions(BaseModel):
    """Options of ``screening evaluate stability``."""

    model_config = ConfigDict(extra="forbid")

    proposals: int = Field(5, ge=1, description="Structures that are relaxed of each formula")
    max_steps: int = Field(100, ge=1, description="Maximum number of evaluations of a structure")
    judge: bool = Field(True, description="Ask the judge of the model where its weights are here")
    self_hull: bool = Field(
        True, description="Also build the hull of the relaxing potential, as campaigns do"
    )
    icsd: Path | None = Field(
        None, description="Parquet file with a column formula: what has been made, for subsets"
    )


def evaluate_stability(request: EvaluateRequest) -> dict[str, Any]:
    """Send unseen formulas through the whole pipeline, and compare with their DFT distances.

    Each formula is taken out of the diagram, the neighbours and the bank, together with all other
    formulas that are measured in the same part. Formulas that the composition model, the ranking or
    the model of stability have seen are left out, and counted in ``n_seen``. Without a column
    `e_above_hull` the truth is the lowest `formation_energy_per_atom` (on the scale of the diagram)
    minus the energy of the competing phases. Searches and relaxations are kept under the folder of
    the request: the same call goes on where it was stopped.

    Returns
    -------
    Plain JSON. ``auc``, ``precision``, ``recall``, ``f1`` (at P >= 0.5), ``precision_at_20``,
    ``brier``, ``log_score``, ``ece`` of the probability of stability; the same under
    ``composition``; figures of distances under ``self_hull`` and ``engines``; ``mae_hull``
    (eV/atom) of the best distance that there is.

    Raises
    ------
    InputError
        If the file cannot be used or nothing in it is unseen.
    """
    started = time.perf_counter()
    options = parse_options(EvaluateStabilityOptions, request.options)
    model = StabilityModel.load(request.checkpoint or CHECKPOINT)
    energy = EnergyModel.load()
    search = FormulaSearch(SearchOptions(proposals=options.proposals, max_steps=options.max_steps))
    seen = [energy.seen_formulas, model.seen_formulas, search.ranker.seen_formulas]
    truth, n_seen = read_truth(request, seen)
    formulas = list(truth)
    folder = _state(request, options)
    search_formulas(formulas, folder / "records.jsonl", search)
    records = {record["formula"]: record for record in read_records(folder / "records.jsonl")}
    judge = model.judge if options.judge and _is_here(model.judge) else None
    judged: dict[str, dict[str, float]] = {}
    if judge is not None:
        judge_file(folder / "records.jsonl", folder / f"{judge}.jsonl", judge, "cpu")
        rows = read_records(folder / f"{judge}.jsonl")
        judged = {row["formula"]: row["energies"] for row in rows}
    background = background_of(formulas, energy=energy)
    evidences = [
        _evidence(records[formula], judge, judged.get(formula, {})) for formula in formulas
    ]
    result = assess(model, background, evidences)
    distances = np.array([truth[formula] for formula in formulas])
    metrics = _figures(result, background, distances, request.seed)
    if options.self_hull:
        self_distances = own_hull_file(records, formulas, folder / "self_hull.jsonl", search.bank)
        metrics["self_hull"] = _of_distances(self_distances, distances)
    metrics["subsets"] = _subsets(result, distances, background, options.icsd)
    metrics |= {
        "n": len(formulas),
        "n_seen": n_seen,
        "n_without_structure": sum(item is None for item in evidences),
        "by_kind": {kind: int((result.kinds == kind).sum()) for kind in model.kinds},
        "prevalence": float((distances <= 0).mean()),
        "reference": reference_table().source,
        "judge": judge,
        "data_sha256": file_sha256(request.data),
        "checkpoint": {"name": model.ref.name, "sha256": model.ref.sha256},
        "seed": request.seed,
        "seconds_per_formula": (time.perf_counter() - started) / len(formulas),
    }
    plain: dict[str, Any] = plain_metrics(metrics)
    return plain


def read_truth(
    request: EvaluateRequest, seen: list[NDArray[np.uint32]]
) -> tuple[dict[str, float], int]:
    """Draw unseen formulas with their DFT distances (eV/atom), in the order of the sample.

    Returns
    -------
    Formula -> distance, and the number of formulas that were left out because they were seen.
    """
    table = read_table(request.data, ("formula",))
    column = "e_above_hull" if "e_above_hull" in table else "formation_energy_per_atom"
    if column not in table:
        raise InputError(
            f"{request.data} has neither e_above_hull nor formation_energy_per_atom: give one"
        )
    table = table[np.isfinite(table[column])]
    if table.empty:
        raise InputError(f"{request.data} has no row with a finite {column}")
    table = table.assign(formula=canonical_formulas(table["formula"].tolist()))
    lowest = table.groupby("formula")[column].min()
    names = lowest.index.tolist()
    new = np.ones(len(names), dtype=bool)
    for marks in seen:
        new &= unseen(names, marks)
    if not new.any():
        raise InputError(f"{request.data}: all formulas were seen in training; give others")
    sample = np.random.default_rng(request.seed).permutation(np.flatnonzero(new))[: request.sample]
    picked = [str(names[k]) for k in sample.tolist()]
    values = lowest.to_numpy(dtype=np.float64)[sample]
    if column != "e_above_hull":
        locations = place_compositions(reference_table(), picked, exclude_own=True)
        values = np.maximum(values - [item.competing_energy for item in locations], 0.0)
    return dict(zip(picked, values.tolist(), strict=True)), int((~new).sum())


def _state(request: EvaluateRequest, options: EvaluateStabilityOptions) -> Path:
    """Folder of the finished parts of this measurement."""
    key = content_hash(
        file_sha256(request.data), request.sample, request.seed, options.proposals,
        options.max_steps, request.checkpoint,
    )  # fmt: skip
    if request.state is None:
        import tempfile

        return Path(tempfile.mkdtemp(prefix="screening-stability-"))
    return request.state / f"stability-{key[:16]}"


def _is_here(engine: str | None) -> bool:
    """Tell whether an engine can be used."""
    if engine is None:
        return False
    try:
        engine_id(engine)
    except (EngineError, InputError):
        return False
    return True


def _evidence(
    record: dict[str, Any], judge: str | None, energies: dict[str, float]
) -> StructureEvidence | None:
    evidence = evidence_of_record(record)
    if evidence is None or judge is None or not energies:
        return evidence
    return with_judge(evidence, judge, energies)


def _figures(
    result: Assessment, background: Background, truth: Floats, seed: int
) -> dict[str, Any]:
    labels = truth <= 0
    probability = result.probability[:, 0]
    engines = [item for item in (result.structure, result.judge) if item is not None]
    return {
        **all_figures(labels, probability),
        "mae_hull": _error(result.best_distances(background), truth),
        "composition": {
            **all_figures(labels, result.by_composition[:, 0]),
            "mae_hull": _error(background.composition.values, truth),
        },
        "engines": {
            item.source.split(" on ")[0]: {"source": item.source}
            | _of_distances(item.values, truth)
            for item in engines
        },
        "intervals": figure_intervals(labels, probability, seed),
        "reliability": reliability(labels, probability),
    }


def _error(values: Floats, truth: Floats) -> float | None:
    errors = np.abs(np.maximum(values, 0.0) - truth)
    return float(np.nanmean(errors)) if np.isfinite(errors).any() else None


def _of_distances(values: Floats, truth: Floats) -> dict[str, Any]:
    """Figures of calling stable what is on the hull or below it; without a distance: not stable."""
    labels = truth <= 0
    filled = np.where(np.isfinite(values), values, np.inf)
    return {
        **decision_figures(labels, -np.where(np.isinf(filled), 1e3, filled), filled <= 0),
        "mae_hull": _error(values, truth),
        "n": int(np.isfinite(values).sum()),
    }


def _subsets(
    result: Assessment, truth: Floats, background: Background, icsd: Path | None
) -> dict[str, dict[str, Any]]:
    """Figures by number of elements, size of the formula, and whether it has been made."""
    elements = background.compositions.n_elements()
    atoms = background.compositions.counts.sum(axis=1)
    masks = {f"{n} elements": elements == n for n in np.unique(elements).tolist()}
    masks[f"up to {SMALL_CELL} atoms in the formula"] = atoms <= SMALL_CELL
    masks[f"more than {SMALL_CELL} atoms in the formula"] = atoms > SMALL_CELL
    if icsd is not None:
        synthesised = pd.read_parquet(icsd, columns=["formula"])["formula"].tolist()
        inside = np.isin(background.compositions.formulas(), canonical_formulas(synthesised))
        masks |= {"has been made": inside, "not known to have been made": ~inside}
    labels = truth <= 0
    return {
        name: {
            "n": int(mask.sum()),
            "prevalence": float(labels[mask].mean()),
            **all_figures(labels[mask], result.probability[mask, 0]),
        }
        for name, mask in masks.items()
        if mask.any()
    }
