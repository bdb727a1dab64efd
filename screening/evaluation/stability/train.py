"""``screening train stability``: the probability of stability, and its figures on a part left out.

The first layer learns from compositions that the composition model may have seen; all others from
compositions that neither it, nor the bank and the ranking of the search, have seen.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from screening.checkpoints import Card, save_checkpoint
from screening.composition import CompositionArray
from screening.energy.model import EnergyModel
from screening.errors import InputError
from screening.evaluation.stability.background import background_of, evidence_of_record, with_judge
from screening.evaluation.stability.figures import all_figures, figure_intervals
from screening.evaluation.stability.search import read_records
from screening.progress import report
from screening.references import reference_table
from screening.stability.assess import findings_of
from screening.stability.composition import composition_features, locate
from screening.stability.fit import LAYERS, Layer, fit_classes, fit_layer
from screening.stability.model import (
    LEVELS,
    STABILITY_CLASS,
    UNIT,
    StabilityModel,
    class_scores,
    energy_features,
    falling_with,
    findings_features,
)
from screening.stability.neighbours import LARGEST, Neighbours
from screening.training.data import canonical_formulas, fingerprints, held_out, read_table, unseen
from screening.training.environment import package_versions
from screening.training.request import parse_options, plain_metrics
from screening.training.trees import Trees, pack_text

if TYPE_CHECKING:
    from screening.stability.model import Background, Findings
    from screening.training.request import TrainRequest

Floats = NDArray[np.float64]

VERSION = "1"
FEWEST = 50
"""Searched formulas below which the trees of structures learn nothing."""
COLUMNS = ("formula", "e_above_hull")
REFERENCES = ["10.1021/ic102031h", "10.1214/17-EJS1338SI", "10.1162/089976602753284446"]


class StabilityOptions(BaseModel):
    """Options of ``screening train stability``."""

    model_config = ConfigDict(extra="forbid")

    records: Path | None = Field(
        None, description="Searches of formulas, from `screening train stability-data`"
    )
    judge: Path | None = Field(
        None, description="Single points of them, from `screening train stability-judge`"
    )
    held_fraction: float = Field(
        0.1, gt=0, lt=1, description="Share of formulas whose predicted energies are learned from"
    )
    held_seed: int = Field(0, ge=0, description="Seed of that split: the composition model's")
    test_fraction: float = Field(0.35, gt=0, lt=1, description="Share of those that is measured")
    rounds: int = Field(450, ge=1, description="Rounds of the first layer")
    leaves: int = Field(47, ge=2, description="Leaves of its trees")


def read_distances(path: Path) -> dict[str, float]:
    """Read the lowest distance to the hull (eV/atom) of each canonical formula."""
    table = read_table(path, COLUMNS)
    table = table[np.isfinite(table["e_above_hull"])]
    if table.empty:
        raise InputError(f"{path} has no row with a finite e_above_hull")
    table = table.assign(formula=canonical_formulas(table["formula"].tolist()))
    lowest = table.groupby("formula")["e_above_hull"].min()
    return {str(name): float(value) for name, value in lowest.items()}


def train_stability(request: TrainRequest) -> Card:
    """Fit all layers and measure them on formulas that no layer has seen.

    Raises
    ------
    InputError
        If an option or a file is wrong, or no formula is left to measure.
    """
    started = time.perf_counter()
    options = parse_options(StabilityOptions, request.options)
    distances = read_distances(request.data[0])
    energy = EnergyModel.load()
    formulas = sorted(distances)
    held = held_out(formulas, fraction=options.held_fraction, seed=options.held_seed)
    open_, held_names = _split(formulas, held, unseen(formulas, energy.seen_formulas))
    test = held_out(held_names, fraction=options.test_fraction, seed=request.seed + 1)
    if not test.any() or test.all():
        raise InputError(f"{request.data[0]}: no formulas are left to learn from, or to measure")
    tensors: dict[str, NDArray[Any]] = {}
    report("stability", 0, 4, "known compositions")
    neighbours, classes = _first_layer(open_, distances, options, request.seed, tensors)
    report("stability", 1, 4, "held-out compositions")
    background = background_of(held_names, energy=energy)
    truth = np.array([distances[name] for name in held_names])
    features = composition_features(background.compositions, background.locations, neighbours)
    start = class_scores(classes.predict(features))
    inputs = energy_features(background, start, features)
    learn = np.flatnonzero(~test)
    layer = _add(
        "composition",
        inputs[learn],
        start[learn],
        background[learn],
        truth=truth[learn],
        tensors=tensors,
    )
    scores = start.copy()
    scores[learn] = layer.left_out
    scores[test] = _scores(layer, inputs[test], start[test])
    report("stability", 2, 4, "structures")
    fitted = fingerprints([*open_, *[held_names[k] for k in learn.tolist()]])
    tensors["seen_formulas"] = fitted
    arguments = {
        "prevalence": [float((truth[learn] <= limit).mean()) for limit in LEVELS],
        "engine": "chgnet-0.3.0",
        "judge": None,
    }
    counts = _structure_layers(
        options, background, truth, test, scores=scores, tensors=tensors, arguments=arguments
    )
    report("stability", 3, 4, "measuring")
    rows = {
        "n_classes": len(open_), "n_composition": len(learn), "n_test": int(test.sum()), **counts,
    }  # fmt: skip
    card = _card(request, options, arguments, rows, len(distances))
    probe = StabilityModel(arguments, tensors, card.ref())
    metrics = measure(probe, options, background, truth, test, seed=request.seed)
    card = card.model_copy(update={"metrics": metrics, "wall_time": time.perf_counter() - started})
    return save_checkpoint(request.out, tensors, card)


def _split(
    formulas: list[str], held: NDArray[np.bool_], new: NDArray[np.bool_]
) -> tuple[list[str], list[str]]:
    """Formulas of the first layer, and those that the composition model has not seen."""
    first = [name for name, out in zip(formulas, held, strict=True) if not out]
    held_names = [name for name, out in zip(formulas, held & new, strict=True) if out]
    if not first or not held_names:
        raise InputError(
            "all formulas are known to the composition model, or none: give others, or another "
            "held_seed"
        )
    return first, held_names


def _first_layer(
    formulas: list[str],
    distances: dict[str, float],
    options: StabilityOptions,
    seed: int,
    tensors: dict[str, NDArray[Any]],
) -> tuple[Neighbours, Trees]:
    """Fit the classes of distances on compositions whose own energies are not used."""
    compositions = CompositionArray.from_formulas(formulas)
    truth = np.array([distances[name] for name in formulas])
    stored = np.round(np.clip(truth, 0, LARGEST) / UNIT)
    stored[(truth > 0) & (stored == 0)] = 1  # what is above the hull stays above it
    tensors["numbers"] = compositions.numbers
    tensors["counts"] = compositions.counts
    tensors["distances"] = stored.astype(np.uint16)
    neighbours = Neighbours(compositions, stored * UNIT)
    locations = locate(reference_table(), compositions)
    features = composition_features(compositions, locations, neighbours)
    text = fit_classes(features, truth, options.rounds, options.leaves, seed)
    tensors["trees.classes"] = pack_text(text)
    return neighbours, Trees(text)


def _add(
    kind: str,
    features: Floats,
    start: Floats,
    background: Background,
    *,
    truth: Floats,
    tensors: dict[str, NDArray[Any]],
) -> Layer:
    """Fit a layer and put it among the tensors."""
    systems = [_system(row) for row in background.compositions.numbers.tolist()]
    layer = fit_layer(
        features,
        start,
        truth,
        systems,
        LAYERS[kind],
        falling=falling_with(kind, features.shape[1]),
        seed=0,
    )
    for level, text in enumerate(layer.texts):
        tensors[f"trees.{kind}.{level}"] = pack_text(text)
    tensors[f"calibration.{kind}"] = layer.calibration
    return layer


def _system(numbers: list[int]) -> str:
    return "-".join(str(z) for z in sorted(numbers) if z)


def _scores(layer: Layer, features: Floats, start: Floats) -> Floats:
    columns = [
        Trees(text).correct(features, start[:, level]) for level, text in enumerate(layer.texts)
    ]
    return np.stack(columns, axis=1)


def _structure_layers(
    options: StabilityOptions,
    background: Background,
    truth: Floats,
    test: NDArray[np.bool_],
    *,
    scores: Floats,
    tensors: dict[str, NDArray[Any]],
    arguments: dict[str, Any],
) -> dict[str, int]:
    """Fit the layers that know structures, as far as there are records."""
    counts: dict[str, int] = {}
    for kind in ("structures", "judge"):
        rows, findings = searched(kind, options, background)
        if findings is None:
            break
        learn = np.flatnonzero(~test[rows])
        if len(learn) < FEWEST:
            raise InputError(f"{len(learn)} searched formulas are too few: give at least {FEWEST}")
        arguments["engine"] = findings.evidences[0].engine
        if kind == "judge":
            arguments["judge"] = findings.evidences[0].judge
        features = findings_features(kind, scores[rows], background[rows], findings)
        learned = rows[learn]
        _add(
            kind,
            features[learn],
            scores[learned],
            background[learned],
            truth=truth[learned],
            tensors=tensors,
        )
        counts |= {f"n_{kind}": len(learn), f"n_{kind}_test": len(rows) - len(learn)}
    return counts


def searched(
    kind: str, options: StabilityOptions, background: Background
) -> tuple[NDArray[np.int64], Findings | None]:
    """Find the rows with relaxed structures (and judged ones), and what was found for them."""
    records = read_records(options.records) if options.records else []
    place_of = {name: k for k, name in enumerate(background.compositions.formulas())}
    pairs = [
        (place_of[record["formula"]], evidence)
        for record in records
        if record["formula"] in place_of and (evidence := evidence_of_record(record)) is not None
    ]
    if kind == "judge":
        if options.judge is None:
            return np.zeros(0, dtype=np.int64), None
        lines = options.judge.read_text(encoding="utf-8").splitlines()
        judged = {row["formula"]: row for row in map(json.loads, lines)}
        names = background.compositions.formulas()
        pairs = [
            (row, with_judge(evidence, answer["engine"], answer["energies"]))
            for row, evidence in pairs
            if (answer := judged.get(names[row])) is not None and answer["energies"]
        ]
    if not pairs:
        return np.zeros(0, dtype=np.int64), None
    rows = np.array([row for row, _ in pairs])
    return rows, findings_of([evidence for _, evidence in pairs], background[rows])


def measure(
    model: StabilityModel,
    options: StabilityOptions,
    background: Background,
    truth: Floats,
    test: NDArray[np.bool_],
    *,
    seed: int,
) -> dict[str, Any]:
    """Measure each kind of evidence on the part left out; all kinds also on the same formulas."""
    test_rows = np.flatnonzero(test)
    scores = model.scores(background[test_rows])
    labels = truth[test_rows] <= 0
    result: dict[str, Any] = {
        "composition": _measured(labels, model.probabilities("composition", scores)[:, 0], seed)
    }
    place_of = {row: k for k, row in enumerate(test_rows.tolist())}
    for kind in model.kinds[1:]:
        rows, findings = searched(kind, options, background)
        if findings is None:
            continue
        measured = np.array([k for k, row in enumerate(rows.tolist()) if row in place_of])
        measured_rows = rows[measured]
        start = scores[[place_of[row] for row in measured_rows.tolist()]]
        findings = findings_of(
            [findings.evidences[k] for k in measured.tolist()], background[measured_rows]
        )
        better = model.structure_scores(kind, start, background[measured_rows], findings)
        labels = truth[measured_rows] <= 0
        result[kind] = _measured(labels, model.probabilities(kind, better)[:, 0], seed)
        result[f"composition, formulas of {kind}"] = _measured(
            labels, model.probabilities("composition", start)[:, 0], seed
        )
        energies = {"relaxed": findings.structure.values}
        if findings.judge is not None:
            energies["judge"] = findings.judge.values
        for name, values in energies.items():
            error = np.abs(np.maximum(values, 0) - truth[measured_rows])
            result[kind][f"mae_hull_{name}"] = float(np.nanmean(error))
    plain: dict[str, Any] = plain_metrics(result)
    return plain


def _measured(labels: NDArray[np.bool_], probability: Floats, seed: int) -> dict[str, Any]:
    return {
        "n": len(labels),
        "prevalence": float(labels.mean()),
        **all_figures(labels, probability),
        "intervals": figure_intervals(labels, probability, seed),
    }


def _card(
    request: TrainRequest,
    options: StabilityOptions,
    arguments: dict[str, Any],
    counts: dict[str, int],
    n_rows: int,
) -> Card:
    used = [request.source(request.data[0], n_rows)]
    return Card(
        name=request.out.name,
        version=VERSION,
        model=STABILITY_CLASS,
        description="Probability that a composition has a crystal on or near the hull of DFT",
        arguments=arguments,
        hyperparameters=options.model_dump(mode="json", exclude={"records", "judge"}),
        data=used,
        split={"by": "reduced formula", "natural proportions of": request.data[0].name, **counts},
        metrics={},
        seed=request.seed,
        wall_time=0.0,
        device="cpu",
        packages=package_versions("lightgbm", "numpy", "chgnet"),
        references=REFERENCES,
    )
