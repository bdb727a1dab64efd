"""The tables and figures of both papers on held-out formulas, beside the papers' numbers.

The papers measured on other, random splits of other data: their numbers are context, not a
comparison.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

Row = dict[str, Any]

PAPER_FIGURE_3 = {"mean": 0.927, "deviation": 0.090, "exact": 0.406, "above_0.8": 0.91, "n": 1136}
"""AlphaCrystal, text and Figure 3: accuracy of the 66 padded pairs."""
PAPER_TABLE_1 = [1.0, 0.6, 0.86, 0.819, 0.819, 0.694, 0.875, 1.0, 1.0]
"""AlphaCrystal, Table 1: share of all n x n entries that are right."""
PAPER_TABLE_2 = {
    "predicted": [0.939, 0.696, 0.727, 0.773, 0.848, 0.939, 0.939, 0.803, 1.0, 0.879],
    "reconstructed": [0.917, 0.952, 0.968, 0.952, 0.889, 0.857, 1.0, 0.889, 1.0, 0.941],
    "rmsd": [0.411, 0.376, 0.196, 0.145, 0.212, 0.196, 0.336, 0.196, 0.193, 0.146],
}
"""AlphaCrystal, Table 2: padded accuracy, Dice coefficient, RMSD of fractional coordinates."""
PAPER_TABLE_5 = {
    "all": {
        "5": {"mse": 2.3764, "rmse": 1.2269, "overlap": 0.9979},
        "10": {"mse": 1.8932, "rmse": 1.0984, "overlap": 0.9989},
        "20": {"mse": 1.5591, "rmse": 0.9239, "overlap": 0.9992},
    },
    "cubic": {"10": {"mse": 1.0125, "rmse": 0.7394, "overlap": 0.9746}},
    "binary": {"10": {"mse": 2.7835, "rmse": 1.3109, "overlap": 0.9980}},
    "ternary": {"10": {"mse": 2.0832, "rmse": 1.2779, "overlap": 0.9985}},
}
"""AlphaCrystal-II, Table 5, 10,000 training crystals: by subset and bins; specialists there."""
HIGH = 0.8
_BINS = np.arange(0.0, 1.0 + 1e-9, 0.05)
_TABLE_1 = 9
_LEAST_ATOMS = 6


def figure_3(rows: list[Row], predictors: list[str]) -> dict[str, Any]:
    """Distribution of the accuracy of padded maps, as AlphaCrystal's Figure 3."""
    result: dict[str, Any] = {"paper": PAPER_FIGURE_3, "edges": _BINS.round(2).tolist()}
    for name in predictors:
        values = np.array([row[name]["padded_accuracy"] for row in rows])
        result[name] = {
            "mean": float(values.mean()),
            "deviation": float(values.std()),
            "exact": float((values == 1).mean()),
            "above_0.8": float((values > HIGH).mean()),
            "n": len(values),
            "counts": np.histogram(values, _BINS)[0].tolist(),
        }
    return result


def table_1(rows: list[Row], predictors: list[str]) -> dict[str, Any]:
    """Accuracy of whole maps of a few crystals, all of different space groups, 6 atoms at least."""
    chosen: dict[int, Row] = {}
    for row in rows:
        if row["atoms"] >= _LEAST_ATOMS and len(chosen) < _TABLE_1:
            chosen.setdefault(row["space_group"], row)
    keys = ("material_id", "formula", "atoms", "space_group")
    return {
        "paper_mean": float(np.mean(PAPER_TABLE_1)),
        "paper": PAPER_TABLE_1,
        "rows": [
            {key: row[key] for key in keys}
            | {name: row[name]["matrix_accuracy"] for name in predictors}
            for row in chosen.values()
        ],
    }


def table_2(recovery: Mapping[str, Any], first: int) -> dict[str, Any]:
    """Crystals that were rebuilt, as AlphaCrystal's Table 2: ways beside each other, by crystal."""
    ways = [name for name, value in recovery.items() if isinstance(value, dict)]
    keys = ("formula", "atoms", "sites", "variables", "space_group")
    rows = [{key: row[key] for key in keys} for row in recovery[ways[0]]["rows"][:first]]
    for way in ways:
        for row, own in zip(rows, recovery[way]["rows"], strict=False):
            row[way] = {"dice": own["dice"], "rms": own["rms"]}
    return {"paper": PAPER_TABLE_2, "rows": rows}


def table_5(
    figures: Mapping[str, Any], subsets: Mapping[str, NDArray[np.bool_]], predictors: list[str]
) -> list[Row]:
    """Errors of distances by subset, as AlphaCrystal-II's Table 5; one general model for all."""
    result = []
    for subset in ("all", *subsets):
        prefix = "" if subset == "all" else f"{subset}_"
        known = [name for name in predictors if f"{prefix}{name}" in figures]
        if not known:
            continue
        row: Row = {"subset": subset, "n": figures[f"{prefix}{known[0]}"]["n"]}
        for name in known:
            own = figures[f"{prefix}{name}"]
            row[name] = {key: own[key] for key in ("mse", "rmse", "overlap")}
        row["paper_by_bins"] = PAPER_TABLE_5.get(subset)
        result.append(row)
    return result
