"""Scores of predicted maps, beside the trivial ones: a table of pairs, and the best template."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from screening.elements import MAX_Z
from screening.metrics.contacts import (
    PADDED_SIZE,
    ContactScores,
    covalent_contacts,
    overlap,
    pairs,
)
from screening.metrics.intervals import bootstrap_interval
from screening.structure.alphacrystal.alignment import align
from screening.structure.alphacrystal.labels import kinds_of, vesta_contacts
from screening.structure.alphacrystal.model import Maps

if TYPE_CHECKING:
    from collections.abc import Mapping

    from screening.structure.alphacrystal.data import Crystals
    from screening.structure.alphacrystal.model import MapModel

Floats = NDArray[np.float64]
STARTS = 24
_PRIOR = 3.0
"""Pairs in the table count as so many further ones that are the mean of all."""


def pair_table(train: Crystals, test: Crystals) -> Maps:
    """Predict by the mean of each pair of elements: the trivial baseline."""
    numbers = train.inputs.numbers.numpy()
    mask = np.tril((numbers[:, :, None] > 0) & (numbers[:, None] > 0), -1)
    first = np.broadcast_to(numbers[:, :, None], mask.shape)[mask]
    second = np.broadcast_to(numbers[:, None], mask.shape)[mask]
    keys = np.maximum(first, second) * (MAX_Z + 1) + np.minimum(first, second)
    own = test.inputs.numbers.numpy()
    high = np.maximum(own[:, :, None], own[:, None])
    wanted = high * (MAX_Z + 1) + np.minimum(own[:, :, None], own[:, None])
    size = (MAX_Z + 1) ** 2
    counts = np.bincount(keys, minlength=size)
    results = []
    for values in (
        covalent_contacts(train.own, numbers),
        vesta_contacts(train.own, numbers),
        train.own,
    ):
        chosen = values[mask].astype(np.float64)
        sums = np.bincount(keys, chosen, minlength=size) + _PRIOR * chosen.mean()
        results.append((sums / (counts + _PRIOR))[wanted].astype(np.float32))
    return Maps(*results)


def best_template(test: Crystals, otherwise: Maps) -> Maps:
    """Predict by the first template; `otherwise` where there is none."""
    numbers = test.inputs.numbers.numpy()
    there = np.isfinite(test.first[:, 0, 0])[:, None, None]
    return Maps(
        np.where(there, covalent_contacts(test.first, numbers), otherwise.contacts),
        np.where(there, vesta_contacts(test.first, numbers), otherwise.vesta),
        np.where(there, test.first, otherwise.distances),
    )


def measure(
    model: MapModel,
    train: Crystals,
    test: Crystals,
    seed: int,
    subsets: Mapping[str, NDArray[np.bool_]] | None = None,
) -> dict[str, Any]:
    """Score the model with and without templates, the pair table and the best template.

    As `measure_each`, means only.
    """
    return measure_each(predict_all(model, train, test), test, seed, subsets)[0]


def predict_all(model: MapModel, train: Crystals, test: Crystals) -> dict[str, Maps]:
    """Predict by the pair table and the composition and, if there are some, by templates.

    Parameters
    ----------
    model
        The model.
    train, test
        What the pair table knows, and what is predicted.
    """
    table = pair_table(train, test)
    hidden = test.inputs.masked(test.inputs.crystals[:, 0] < 0)
    predictors = {"pair_table": table, "composition": model.predict(hidden)}
    if (test.inputs.crystals[:, 0] > 0).any():
        predictors["template"] = best_template(test, table)
        predictors["model"] = model.predict(test.inputs)
    return predictors


def measure_each(
    predictors: Mapping[str, Maps],
    test: Crystals,
    seed: int,
    subsets: Mapping[str, NDArray[np.bool_]] | None = None,
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Score predictions.

    Parameters
    ----------
    predictors
        Predictions by name.
    test
        What is measured.
    seed
        Seed of the bootstrap.
    subsets
        Further figures for parts of `test`, masks of shape ``(s,)``.

    Returns
    -------
    For each predictor its figures (`figures`), and for each crystal its scores by predictor.
    """
    whole = np.ones(len(test), dtype=bool)
    parts = {"": whole} | {f"{name}_": mask for name, mask in (subsets or {}).items()}
    result: dict[str, Any] = {"n": len(test)}
    each: list[dict[str, Any]] = [{} for _ in range(len(test))]
    for name, maps in predictors.items():
        rows = [_row(test, maps, i) for i in range(len(test))]
        for scores, row in zip(each, rows, strict=True):
            scores[name] = _scores_of(row)
        for prefix, mask in parts.items():
            if mask.any():
                chosen = [row for row, kept in zip(rows, mask, strict=True) if kept]
                result[f"{prefix}{name}"] = figures(chosen, seed)
    return result, each


def _scores_of(row: dict[str, Any]) -> dict[str, float]:
    """Scores of one crystal."""
    true, predicted, _ = row["contacts"]
    values = ContactScores.of([true], [predicted], max(len(true), PADDED_SIZE)).means()
    errors = pairs(row["distances"][0]) - pairs(row["distances"][1])
    return values | {"rmse": float(np.sqrt((errors**2).mean()))}


def _row(test: Crystals, maps: Maps, index: int) -> dict[str, Any]:
    """Truth and prediction of one crystal, equal atoms exchanged to fit; see `figures`."""
    numbers = test.inputs.numbers[index].numpy()
    n = int((numbers > 0).sum())
    numbers, true = numbers[:n], test.own[index, :n, :n].astype(np.float64)
    kinds = kinds_of(numbers)
    row: dict[str, Any] = {}
    for name, rule in (("contacts", covalent_contacts), ("vesta", vesta_contacts)):
        predicted = getattr(maps, name)[index, :n, :n].astype(np.float64)
        np.fill_diagonal(predicted, 0)
        right = rule(true, numbers)
        order = align(
            (predicted >= 0.5).astype(np.float64), right.astype(np.float64), kinds, STARTS
        )
        row[name] = (right[order][:, order], predicted, right)
    predicted = maps.distances[index, :n, :n].astype(np.float64)
    np.fill_diagonal(predicted, 0)
    order = align(predicted, true, kinds, STARTS)
    row["distances"] = (true[order][:, order], predicted)
    return row


def figures(rows: list[dict[str, Any]], seed: int) -> dict[str, Any]:
    """Mean scores over crystals with 95 % bootstrap intervals.

    Contacts after the best exchange of equal atoms; ``fixed_...`` without it, in the order of
    `atom_order`. ``rmse`` is the mean over crystals of the root mean square error of the distances
    (Angstrom), ``rmse_pooled`` that of all pairs together.
    """
    size = max(len(row["distances"][0]) for row in rows)
    result: dict[str, Any] = {"n": len(rows)}
    for name, prefix in (("contacts", ""), ("vesta", "vesta_")):
        scores = ContactScores.of(*_columns(rows, name), size=max(size, PADDED_SIZE))
        result |= {f"{prefix}{key}": value for key, value in scores.means().items()}
        intervals = scores.intervals(seed)
        result |= {f"{prefix}{key}_interval": value for key, value in intervals.items()}
        result[f"{prefix}n_empty"] = scores.n_empty
    fixed = ContactScores.of(
        [row["contacts"][2] for row in rows],
        [row["contacts"][1] for row in rows],
        max(size, PADDED_SIZE),
    )
    result |= {f"fixed_{key}": value for key, value in fixed.means().items()}
    errors = [pairs(true) - pairs(predicted) for true, predicted in _pairs_of(rows)]
    roots = np.array([np.sqrt((own**2).mean()) for own in errors])
    everything = np.concatenate(errors)
    result["rmse"] = float(roots.mean())
    result["rmse_interval"] = list(bootstrap_interval(roots, seed=seed))
    result["rmse_pooled"] = float(np.sqrt((everything**2).mean()))
    result["mse"] = float((roots**2).mean())
    shared = [overlap(true, predicted) for true, predicted in _pairs_of(rows)]
    result["overlap"] = float(np.nanmean(shared))
    return result


def _columns(rows: list[dict[str, Any]], name: str) -> tuple[list[Any], list[Any]]:
    return [row[name][0] for row in rows], [row[name][1] for row in rows]


def _pairs_of(rows: list[dict[str, Any]]) -> list[tuple[Floats, Floats]]:
    return [row["distances"] for row in rows]
