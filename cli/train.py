"""`screening train` and `screening evaluate`: models."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from cli.types import DataOption, Quiet, SeedOption, SetOption, parse_settings


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(train)
    app.command()(evaluate)


def train(
    model: Annotated[
        str,
        typer.Argument(
            help="compositions, matgan, energy, symmetry, prototypes, site-likelihood, or "
            "pressure-data (structures under pressure)."
        ),
    ],
    data: DataOption,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder of the checkpoint.")
    ] = None,
    seed: SeedOption = 0,
    device: Annotated[str | None, typer.Option(help="cpu or cuda.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on after an interruption.")] = False,
    settings: SetOption = None,
    quiet: Quiet = False,
) -> None:
    """Train a model and save its checkpoint: weights and a card."""
    from cli.formatting import console, print_json
    from cli.progress import stage_bars
    from db_config import get_settings
    from screening.training import registry
    from screening.training.request import TrainRequest

    folder = out or get_settings().checkpoint_dir / model
    request = TrainRequest(
        data=tuple(data),
        out=folder,
        seed=seed,
        device=device or get_settings().device,
        resume=resume,
        options=parse_settings(settings),
    )
    with stage_bars(quiet=quiet):
        card = registry.train(model, request)
    console.print(f"saved {folder} ({card.wall_time:.0f} s, sha256 {card.sha256[:12]})")
    print_json(card.metrics)


def evaluate(
    what: Annotated[
        str, typer.Argument(help="generation, energy, symmetry, structures or site-likelihood.")
    ],
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
    seed: SeedOption = 0,
    out: Annotated[Path | None, typer.Option("--json", help="Write the metrics here.")] = None,
    plots: Annotated[
        Path | None, typer.Option("--plots", help="Draw the figures into this folder (PNG).")
    ] = None,
    settings: SetOption = None,
    quiet: Quiet = False,
) -> None:
    """Measure a model on data that it has not seen; prints JSON."""
    import json

    from cli.formatting import plain, print_json
    from cli.progress import stage_bars
    from db_config import get_settings
    from screening.checkpoints import set_checkpoint_folder
    from screening.errors import InputError
    from screening.training import registry
    from screening.training.request import EvaluateRequest

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
        options=parse_settings(settings),
    )
    with stage_bars(quiet=quiet):
        metrics = registry.evaluate(what, request)
    numbers = metrics.pop("plots", {})
    if out is not None:
        text = json.dumps(plain(metrics | {"plots": numbers}), indent=2)
        out.write_text(text + "\n", encoding="utf-8")
    if plots is not None:
        _draw(what, request.checkpoint, numbers, plots)
    print_json(metrics)


def _draw(what: str, checkpoint: str | None, numbers: dict[str, Any], folder: Path) -> None:
    """Write the figures of a measurement, and the training curves of its checkpoint."""
    from cli.formatting import errors
    from dashboard.figures import model_figures
    from dashboard.figures.png import write_pngs
    from screening.checkpoints import read_card
    from screening.training.registry import MEASURED

    card = read_card(checkpoint or MEASURED[what])
    files = write_pngs(model_figures(numbers, card.history), folder)
    errors.print(f"wrote {len(files)} figures to {folder}")
