"""How good predicted symmetries, cells and volumes are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from screening.metrics.intervals import bootstrap_interval
from screening.symmetry.bravais import bravais_classes, class_sums
from screening.symmetry.cells import BRAVAIS, PARAMETERS, cell_volume, free_parameters
from screening.symmetry.plots import confusion

N_CUBIC = 3
"""The first classes of `BRAVAIS`."""

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from screening.symmetry.data import SymmetryTable
    from screening.symmetry.model import SymmetryModel


def symmetry_metrics(
    model: SymmetryModel, table: SymmetryTable, *, seed: int = 0
) -> dict[str, Any]:
    """Measure a model on crystals that it has not seen.

    Returns
    -------
    ``bravais`` (top1, top2); ``spacegroup`` (top1, top5) over all 230 groups, end to end;
    ``spacegroup_given_bravais`` (top1, top3) with the true class known, and ``_by_class``;
    ``parts``: the same of what the stack is made of; ``volume`` (mae_percent; log_mae and log_r2
    of the logarithm); ``lattice`` and ``lattice_given_z``, see `lattice_metrics`; ``n``, 95 %
    bootstrap ``intervals``, and ``plots`` with the `confusion` of the classes.
    """
    compositions = table.compositions()
    true_class = table.bravais
    result: dict[str, Any] = {"n": len(table), "intervals": {}}
    classes, groups = model.probabilities(compositions)
    for name, hits in _hits(groups, table).items():
        result[name] = {top: hit.mean() for top, hit in hits.items()}
        for top, hit in hits.items():
            interval = bootstrap_interval(hit.astype(np.float64), seed=seed)
            result["intervals"][f"{name}.{top}"] = interval
        if name == "spacegroup_given_bravais":
            result[f"{name}_by_class"] = {
                BRAVAIS[k]: {top: hit[true_class == k].mean() for top, hit in hits.items()}
                | {"n": int((true_class == k).sum())}
                for k in np.unique(true_class)
            }
    result["parts"] = {
        part: {
            name: {top: hit.mean() for top, hit in hits.items()}
            for name, hits in _hits(groups, table).items()
        }
        for part, groups in model.parts(compositions).items()
    }
    volume = model.volume_per_atom(compositions)
    relative = np.abs(volume / table.volume - 1)
    result["volume"] = _volume_metrics(volume, table.volume)
    result["intervals"]["volume.mae_percent"] = bootstrap_interval(100 * relative, seed=seed)
    cells = model.cells(compositions)[np.arange(len(table)), true_class]
    result["lattice"] = lattice_metrics(cells, table)
    # the same shapes, in cells that hold the true number of atoms
    scale = (table.n_atoms * volume / cell_volume(cells)) ** (1 / 3)
    scaled = np.concatenate([cells[:, :3] * scale[:, None], cells[:, 3:]], axis=1)
    result["lattice_given_z"] = lattice_metrics(scaled, table)
    result["plots"] = {"confusion": confusion(true_class, classes.argmax(axis=1))}
    return result


def _hits(
    groups: NDArray[np.float64], table: SymmetryTable
) -> dict[str, dict[str, NDArray[np.bool_]]]:
    """Tell whether the truth is among the best of a list, for each list and length."""
    true_class, true_group = table.bravais, table.space_group - 1
    inside = np.where(bravais_classes()[1:] == true_class[:, None], groups, -1.0)
    ranks = {
        "bravais": (rank_of(class_sums(groups), true_class), (1, 2)),
        "spacegroup": (rank_of(groups, true_group), (1, 5)),
        "spacegroup_given_bravais": (rank_of(inside, true_group), (1, 3)),
    }
    return {name: {f"top{k}": rank < k for k in tops} for name, (rank, tops) in ranks.items()}


def rank_of(scores: NDArray[np.float64], truth: NDArray[np.intp]) -> NDArray[np.int64]:
    """Rank (from 0) of the true column in each row; equal scores count against the model."""
    own = scores[np.arange(len(scores)), truth][:, None]
    rank: NDArray[np.int64] = (scores >= own).sum(axis=1) - 1
    return rank


def _volume_metrics(
    volume: NDArray[np.float64], truth: NDArray[np.float64]
) -> dict[str, float | np.floating]:
    error = np.log(volume / truth)
    spread = np.log(truth) - np.log(truth).mean()
    return {
        "mae_percent": 100 * np.abs(volume / truth - 1).mean(),
        "log_mae": np.abs(error).mean(),
        "log_r2": 1 - (error**2).sum() / max((spread**2).sum(), 1e-12),
    }


def lattice_metrics(cells: NDArray[np.float64], table: SymmetryTable) -> dict[str, Any]:
    """Errors of cell parameters, for each Bravais class and together.

    Parameters
    ----------
    cells
        Predicted conventional cells in the setting of the true class, shape ``(n, 6)``.
    table
        The truth; rows without a cell are left out.

    Returns
    -------
    For each class, for each free parameter: ``r2``, ``mae`` (Angstrom or degrees), ``mape``
    (fraction), ``n``; under ``cubic`` the same of all cubic cells; and under ``all``,
    ``length_mape`` and ``angle_mae`` (degrees).
    """
    result: dict[str, Any] = {}
    known = np.isfinite(table.cells[:, 0])
    lengths: list[NDArray[np.float64]] = []
    angles: list[NDArray[np.float64]] = []
    for k, name in enumerate(BRAVAIS):
        rows = np.flatnonzero(known & (table.bravais == k))
        if not len(rows):
            continue
        result[name] = {}
        for column in free_parameters(k):
            truth, error = table.cells[rows, column], np.abs(cells - table.cells)[rows, column]
            result[name][PARAMETERS[column]] = _parameter_metrics(truth, error)
            (lengths if column < 3 else angles).append(error / truth if column < 3 else error)
    rows = np.flatnonzero(known & (table.bravais < N_CUBIC))
    if len(rows):
        truth, error = table.cells[rows, 0], np.abs(cells - table.cells)[rows, 0]
        result["cubic"] = {"a": _parameter_metrics(truth, error)}
    if lengths:
        result["all"] = {"length_mape": np.concatenate(lengths).mean()}
    if angles:
        result["all"]["angle_mae"] = np.concatenate(angles).mean()
    return result


def _parameter_metrics(
    truth: NDArray[np.float64], error: NDArray[np.float64]
) -> dict[str, float | int | None]:
    spread = ((truth - truth.mean()) ** 2).sum()
    return {
        "r2": float(1 - (error**2).sum() / spread) if spread > 1e-9 else None,
        "mae": float(error.mean()),
        "mape": float((error / truth).mean()),
        "n": len(truth),
    }
