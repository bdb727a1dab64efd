"""`screening train` and `screening evaluate`: models."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.formatting import console, errors, plain, print_json, show
from cli.progress import stage_bars
from cli.types import DataOption, Quiet, SeedOption, SetOption, parse_settings
from dashboard.figures import model_figures
from dashboard.figures.contact_maps import draw_maps
from dashboard.figures.pictures import write_pngs
from db_config import get_settings
from screening.checkpoints import read_card, set_checkpoint_folder
from screening.errors import InputError
from screening.evaluation.alphacrystal.from_composition import measure_matches
from screening.training import registry
from screening.training.registry import EVALUATORS, MEASURED, TRAINERS
from screening.training.request import EvaluateRequest, TrainRequest

if TYPE_CHECKING:
    from screening.training.request import EvaluateRequest


def train(
    model: Annotated[
        str,
        typer.Argument(help=f"One of {', '.join(TRAINERS)}."),
    ],
    data: DataOption,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder of the checkpoint.")
    ] = None,
    seed: SeedOption = 0,
    device: Annotated[str | None, typer.Option(help="cpu or cuda.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on after an interruption.")] = False,
    origin: Annotated[
        str | None, typer.Option(help="Where data are from that do not say it, for the card.")
    ] = None,
    licence: Annotated[
        str | None, typer.Option(help="Licence of data that do not say it, for the card.")
    ] = None,
    engine: Annotated[
        str | None,
        typer.Option(help="energy-scale: the engine whose energies are put on the scale."),
    ] = None,
    settings: SetOption = None,
    quiet: Quiet = False,
) -> None:
    """Train a model and save its checkpoint: weights and a card."""
    set_checkpoint_folder(get_settings().checkpoint_dir)
    options = parse_settings(settings) | ({"engine": engine} if engine else {})
    folder = out or get_settings().checkpoint_dir / registry.checkpoint_name(model, options)
    request = TrainRequest(
        data=tuple(data),
        out=folder,
        seed=seed,
        device=device or get_settings().device,
        resume=resume,
        options=options,
        origin=origin,
        licence=licence,
    )
    with stage_bars(quiet=quiet):
        card = registry.train(model, request)
    console.print(f"saved {folder} ({card.wall_time:.0f} s, sha256 {card.sha256[:12]})")
    print_json(card.metrics)


def evaluate(
    what: Annotated[str, typer.Argument(help=f"One of {', '.join(EVALUATORS)}.")],
    data: Annotated[Path, typer.Option("--data", help="Parquet file.")],
    checkpoint: Annotated[
        str | None,
        typer.Option("--checkpoint", help="Checkpoint; left out: the bundled one, or a new bank."),
    ] = None,
    bank: Annotated[
        str | None,
        typer.Option("--bank", help="Prototype bank: 'bundled', a name or a folder."),
    ] = None,
    holdout: Annotated[str, typer.Option(help="formula or prototype.")] = "formula",
    sample: Annotated[int | None, typer.Option(help="Most items that are measured.", min=1)] = None,
    top_k: Annotated[int, typer.Option(help="Longest list that counts.", min=1)] = 20,
    match: Annotated[
        int | None,
        typer.Option(
            "--match",
            help="alphacrystal: rebuild so many crystals of each composition, and count the right.",
        ),
    ] = None,
    engine: Annotated[
        list[str] | None,
        typer.Option("--engine", help="potential: an engine that is measured; can be repeated."),
    ] = None,
    seed: SeedOption = 0,
    out: Annotated[Path | None, typer.Option("--json", help="Write the metrics here.")] = None,
    plots: Annotated[
        Path | None, typer.Option("--plots", help="Draw the figures into this folder (PNG).")
    ] = None,
    settings: SetOption = None,
    quiet: Quiet = False,
) -> None:
    """Measure a model on data that it has not seen; prints JSON, or tables of `generators`."""
    if plots is not None and what not in registry.MEASURED:
        raise InputError(f"--plots: no figures of {what!r}; use one of {sorted(registry.MEASURED)}")
    set_checkpoint_folder(get_settings().checkpoint_dir)
    request = EvaluateRequest(
        data=data,
        checkpoint="prototypes" if bank == "bundled" else bank or checkpoint,
        holdout=holdout,
        sample=sample,
        top_k=top_k,
        seed=seed,
        plots=plots is not None,
        state=get_settings().data_dir / "evaluations",
        options=parse_settings(settings) | ({"engine": ",".join(engine)} if engine else {}),
    )
    with stage_bars(quiet=quiet):
        metrics = _measure(what, request, match)
    _output(what, request, metrics, out, plots)


def _output(
    what: str,
    request: EvaluateRequest,
    metrics: dict[str, Any],
    out: Path | None,
    plots: Path | None,
) -> None:
    """Write, draw and print what was measured."""
    numbers, rows = metrics.pop("plots", {}), metrics.pop("rows", [])
    tables = metrics.pop("tables", [])
    if out is not None:
        _write(metrics | {"plots": numbers} | ({"rows": rows} if rows else {}), out)
    if plots is not None:
        _draw(what, request.checkpoint, numbers, plots)
    _show(metrics, tables)


def _show(metrics: dict[str, Any], tables: list[dict[str, Any]]) -> None:
    """Print the tables of a measurement, or, if it has none, the metrics as JSON."""
    for table in tables:
        show(table["rows"], table["columns"], title=table["title"])
    if not tables:
        print_json(metrics)


def _write(metrics: dict[str, Any], path: Path) -> None:
    """Write everything, figures' numbers and rows of single items included."""
    path.write_text(json.dumps(plain(metrics), indent=2) + "\n", encoding="utf-8")


def _measure(what: str, request: EvaluateRequest, match: int | None) -> dict[str, Any]:
    """Measure one model, or what several stages reach together (``--match``)."""
    if match is None:
        return registry.evaluate(what, request)
    if what != "alphacrystal":
        raise InputError(f"--match: {what!r} rebuilds no crystals; use 'alphacrystal'")
    if request.plots:
        raise InputError("--match draws no figures: leave --plots out, or --match")

    return measure_matches(request, match)


def _draw(what: str, checkpoint: str | None, numbers: dict[str, Any], folder: Path) -> None:
    """Write the figures of a measurement, and the training curves of its checkpoint."""
    card = read_card(checkpoint or MEASURED[what])
    files = write_pngs(model_figures(numbers, card.history), folder)
    if numbers.get("contact_maps"):
        files.append(draw_maps(folder / "contact-maps.png", numbers["contact_maps"]))
    errors.print(f"wrote {len(files)} figures to {folder}")
