"""`screening compare`: predicted crystals against the true ones."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.formatting import console, print_json, show
from cli.types import JsonFlag
from screening.engines.registry import make_engine
from screening.errors import InputError
from screening.metrics import pairing
from screening.metrics.compare import LEGACY, METRICS
from screening.metrics.compare import compare as compare_crystals

if TYPE_CHECKING:
    from collections.abc import Mapping

COLUMNS = {"metric": "metric", "value": "value", "unit": "unit", "best": "best", "why": "why"}
MEANS = {
    "metric": "metric", "mean": "mean", "low": "2.5 %", "high": "97.5 %", "n": "n", "unit": "unit",
}  # fmt: skip


def compare(
    reference: Annotated[Path, typer.Argument(help="True crystal: a file, or a folder of files.")],
    predicted: Annotated[Path, typer.Argument(help="Predicted: a file, or a folder of files.")],
    legacy: Annotated[
        bool,
        typer.Option("--legacy", help="Also the CSPBenchMetrics, as their authors coded them."),
    ] = False,
    engine: Annotated[
        str | None, typer.Option(help="Source of energies for --legacy, such as chgnet.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Compare predicted crystals with the true ones by all metrics (docs/metrics.md)."""
    if engine and not legacy:
        raise InputError("--engine is for the energies of --legacy: give both or none")
    targets = pairing.read_targets(reference, predicted)
    chosen = make_engine(engine) if engine else None
    if len(targets) == 1 and len(targets[0].predictions) == 1:
        row = _one(targets[0], (reference, predicted), legacy=legacy, engine=chosen)
        if as_json:
            print_json(row)
        else:
            _print_row(row)
        return
    rows = list(pairing.compare_targets(targets, legacy=legacy, engine=chosen))
    summary = pairing.summarise(targets, rows)
    if as_json:
        print_json({**summary, "rows": rows})
    else:
        _print_summary(summary)


def _one(target: Any, files: tuple[Path, Path], *, legacy: bool, engine: Any) -> dict[str, Any]:
    """Compare two structures; two CIF files also row by row."""
    read = target.predictions[0]
    if read.structure is None:
        raise InputError(f"the prediction {read.label} {read.reason}")
    cifs = None
    if all(file.suffix.lower() == ".cif" for file in files):
        first, second = (file.read_text(encoding="utf-8", errors="replace") for file in files)
        cifs = (first, second)
    return compare_crystals(
        target.reference, read.structure, legacy=legacy, engine=engine, cifs=cifs
    )


def _print_row(row: Mapping[str, Any]) -> None:
    show(
        [
            {
                "metric": name,
                "value": row[name],
                "unit": metric.unit,
                "best": metric.perfect,
                "why": row["reasons"].get(name, ""),
            }
            for name, metric in {**METRICS, **LEGACY}.items()
            if name in row
        ],
        COLUMNS,
    )


def _print_summary(summary: Mapping[str, Any]) -> None:
    console.print(
        f"{summary['n_references']} references, {summary['n_predictions']} predictions, "
        f"{summary['n_unreadable']} of them unreadable",
        highlight=False,
    )
    rates = [
        {"metric": f"match rate @{rank}, {name}", "mean": rate}
        for name, ranks in summary["rates"].items()
        for rank, rate in ranks.items()
    ]
    over_sets = [
        {"metric": f"{label}, {name}", "mean": value}
        for key, label in (("metre", "METRe"), ("crmse", "cRMSE"))
        for name, value in summary["sets"][key].items()
    ]
    show(
        [{**row, "n": summary["n_references"]} for row in rates + over_sets],
        {name: MEANS[name] for name in ("metric", "mean", "n")},
    )
    show(
        [
            {"metric": name, **mean, "low": mean["interval"][0], "high": mean["interval"][1]}
            for name, mean in summary["means"].items()
        ],
        MEANS,
        title="means over predictions with a value",
    )
