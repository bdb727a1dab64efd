"""What Cond-CDVAE can do: ``screening evaluate cond-cdvae``, on formulas that it has not seen.

Beside its rate of success stands that of random symmetric crystals with as many samples, which the
paper does not give. Nothing is filtered, and the number of atoms in the cell is known to both.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, field_validator

from screening.checkpoints.io import file_sha256
from screening.engines import Crystal, engine_id, make_engine
from screening.engines.threads import one_thread
from screening.errors import InputError
from screening.metrics.matching import Matches
from screening.progress import report
from screening.structure.cdvae.data import Batch, cells_of, read_crystals
from screening.structure.cdvae.model import NAME, CdvaeModel
from screening.structure.cdvae.sampling import SamplingOptions, reconstruct
from screening.structure.crystals import structure_of
from screening.structure.random_crystals import RandomGenerator
from screening.structure.target import Target
from screening.training.data import unseen
from screening.training.request import parse_options, plain_metrics

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from pymatgen.core import Structure

    from screening.structure.crystals import Cell
    from screening.training.request import EvaluateRequest

PAPER = {
    "mp20_reconstruction_loose_4M": 0.5236,
    "mp20_reconstruction_loose_86M": 0.5750,
    "success_800_samples": 0.593,
    "success_800_samples_below_20_atoms": 0.832,
}
"""What the paper prints, of a model of 4M or 86M weights on 671,000 crystals; context only."""


class CdvaeEvaluation(BaseModel):
    """Options of ``screening evaluate cond-cdvae``."""

    model_config = ConfigDict(extra="forbid")

    steps: list[int] = Field([10], min_length=1, description="Langevin steps at each level")
    atoms: int = Field(19, ge=1, description="Most atoms in a cell that is measured")
    reconstructed: int = Field(100, ge=0, description="Crystals that are encoded and drawn again")
    pressures: list[float] = Field(
        [0.0, 10.0, 30.0, 60.0], description="Pressures whose cells are evaluated (GPa)"
    )
    stressed: int = Field(50, ge=0, description="Crystals that are drawn at each pressure")
    engine: str = Field("chgnet", description="Energy engine of the stresses")

    @field_validator("steps", "pressures", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        """Take ``5,20`` from the command line."""
        return [part.strip() for part in value.split(",")] if isinstance(value, str) else value


def evaluate_cdvae(request: EvaluateRequest) -> dict[str, Any]:
    """Measure reconstruction, success within k samples, cost by steps, and stress by pressure.

    ``success`` by Langevin steps and ``random`` hold match rates (loose, strict) by number of
    samples, with 95 % intervals over crystals; ``pressures`` the pressure that the engine finds in
    cells drawn for a pressure.

    Raises
    ------
    InputError
        If the options cannot be used, or nothing is left to measure.
    """
    options = parse_options(CdvaeEvaluation, request.options)
    model = CdvaeModel.load(request.checkpoint or NAME)
    test = _measured(request, options, model)
    cells = cells_of(test)
    references = [structure_of(cell) for cell in cells]
    success = {}
    for steps in options.steps:
        started = time.process_time()
        drawn = _draw(model, cells, request, steps)
        seconds = (time.process_time() - started) / (len(cells) * request.top_k)
        success[str(steps)] = _figures(references, drawn, request) | {
            "cpu_seconds_per_structure": seconds
        }
    result = {
        "n": len(cells),
        "samples": request.top_k,
        "success": success,
        "random": _figures(references, _random(cells, request), request),
        "reconstruction": _reconstruction(model, cells, options, request),
        "pressures": _pressures(model, cells, options, request),
        "paper": PAPER,
        "data_sha256": file_sha256(request.data),
        "checkpoint": model.ref.model_dump(),
        "seed": request.seed,
    }
    plain: dict[str, Any] = plain_metrics(result)
    return plain


def _measured(
    request: EvaluateRequest, options: CdvaeEvaluation, model: CdvaeModel
) -> pd.DataFrame:
    """Crystals of no pressure whose formulas the model has not seen, one of each formula."""
    table = read_crystals([request.data], min(options.atoms, model.max_atoms), 0.0)
    table = table[unseen(table["formula"].tolist(), model.seen_formulas)]
    table = table.drop_duplicates("formula")
    if request.sample is not None and request.sample < len(table):
        table = table.sample(request.sample, random_state=request.seed).sort_index()
    if table.empty:
        raise InputError(f"{request.data}: the model has seen every usable formula of it")
    return table


def _draw(
    model: CdvaeModel, cells: list[Cell], request: EvaluateRequest, steps: int
) -> list[list[Structure]]:
    """Draw `top_k` crystals for each composition and number of atoms."""
    numbers = [cell[2] for cell in cells for _ in range(request.top_k)]
    options = SamplingOptions(steps=steps)
    drawn: list[Structure] = []
    for start in range(0, len(numbers), options.batch_size):
        part = numbers[start : start + options.batch_size]
        made = model.generate(part, [0.0] * len(part), options, request.seed + start)
        drawn += [structure_of(cell) for cell in made]
        report(f"{steps} steps", len(drawn), len(numbers))
    k = request.top_k
    return [drawn[start : start + k] for start in range(0, len(drawn), k)]


def _random(cells: list[Cell], request: EvaluateRequest) -> list[list[Structure]]:
    """Draw as many random symmetric crystals."""
    generator, drawn = RandomGenerator(), []
    for done, cell in enumerate(cells, start=1):
        formula = structure_of(cell).composition.formula.replace(" ", "")
        target = Target.of_cell(formula, max_atoms=max(20, len(cell[2])))
        found = generator.generate(target, request.top_k, request.seed)
        drawn.append([item.structure for item in found])
        report("random", done, len(cells))
    return drawn


def _figures(
    references: Sequence[Structure],
    drawn: Sequence[Sequence[Structure]],
    request: EvaluateRequest,
) -> dict[str, Any]:
    matches = Matches.of(references, drawn, request.top_k)
    return {
        "rates": matches.rates(),
        "intervals": matches.intervals(request.seed),
        "rmse": matches.rmse(),
    }


def _reconstruction(
    model: CdvaeModel, cells: list[Cell], options: CdvaeEvaluation, request: EvaluateRequest
) -> dict[str, Any] | None:
    """Encode crystals and draw them once from the mean of z."""
    chosen = cells[: options.reconstructed]
    if not chosen:
        return None
    batch = Batch.of_cells(chosen, [0.0] * len(chosen))
    sampling = SamplingOptions(steps=options.steps[-1])
    made = reconstruct(model.network, batch, sampling, request.seed)
    matches = Matches.of(
        [structure_of(cell) for cell in chosen], [[structure_of(cell)] for cell in made], 1
    )
    volumes = [_volume(cell) / _volume(true) for cell, true in zip(made, chosen, strict=True)]
    return {
        "n": len(chosen),
        "steps": sampling.steps,
        "rates": matches.rates(),
        "intervals": matches.intervals(request.seed),
        "rmse": matches.rmse(),
        "volume_mape": float(np.mean(np.abs(np.array(volumes) - 1))),
    }


def _pressures(
    model: CdvaeModel, cells: list[Cell], options: CdvaeEvaluation, request: EvaluateRequest
) -> dict[str, Any] | None:
    """Pressure of drawn cells by the engine (GPa: quartiles), and their volumes (Angstrom^3)."""
    chosen = [cell[2] for cell in cells[: options.stressed]]
    if not chosen or not options.pressures:
        return None
    engine, found = make_engine(options.engine), {}
    for pressure in options.pressures:
        sampling = SamplingOptions(steps=options.steps[-1])
        made = model.generate(chosen, [pressure] * len(chosen), sampling, request.seed)
        crystals = [Crystal.from_structure(structure_of(cell)) for cell in made]
        with one_thread():
            results = engine.evaluate(crystals)
        stresses = np.array([-np.trace(item.stress) / 3 for item in results])
        finite = stresses[np.isfinite(stresses)]
        found[f"{pressure:g}"] = {
            "n": len(finite),
            "quartiles": np.quantile(finite, [0.25, 0.5, 0.75]).tolist() if len(finite) else None,
            "mean_volume_per_atom": float(np.mean([_volume(cell) / len(cell[2]) for cell in made])),
        }
    return {"engine": engine_id(options.engine), "by_target": found}


def _volume(cell: Cell) -> float:
    return float(abs(np.linalg.det(cell[0])))
