"""What Cond-CDVAE can do: ``screening evaluate cond-cdvae``, on formulas that it has not seen.

Beside its rate of success stands that of random symmetric crystals with as many samples, which the
paper does not give. Nothing is filtered, and the number of atoms in the cell is known to both.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, field_validator

from screening.checkpoints.io import file_sha256
from screening.crystal.crystals import structure_of
from screening.errors import InputError
from screening.evaluation.cdvae_physics import compression, pressures, relaxations, volume
from screening.evaluation.high_pressure_phases import Phase, find_phases
from screening.metrics.matching import Matches
from screening.progress import report
from screening.structure.cdvae.data import Batch, cells_of, read_crystals
from screening.structure.cdvae.model import NAME, CdvaeModel
from screening.structure.cdvae.sampling import SamplingOptions, reconstruct
from screening.structure.random.generator import RandomGenerator
from screening.structure.request import Target
from screening.training.data import unseen
from screening.training.request import parse_options, plain_metrics

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from pymatgen.core import Structure

    from screening.crystal.crystals import Cell
    from screening.training.request import EvaluateRequest

PAPER = {
    "mp20_reconstruction_loose_4M": 0.5236,
    "mp20_reconstruction_loose_86M": 0.5750,
    "success_800_samples": 0.593,
    "success_800_samples_below_20_atoms": 0.832,
}
"""What the paper prints, of a model of 4M or 86M weights on 671,000 crystals; context only."""


ATOMS = ((1, 4), (5, 8), (9, 12), (13, 19), (20, 60))
"""Numbers of atoms in the cell by which success is counted."""


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
    relaxed: int = Field(0, ge=0, description="Crystals that are relaxed, and random ones")
    compressed: Path | None = Field(
        None, description="File of crystals relaxed at pressures, for their volumes"
    )
    phases: Path | None = Field(
        None, description="Folder of known phases NAME_PRESSUREGPa.cif that are looked for"
    )
    tries: int = Field(200, ge=1, description="Crystals that are drawn of each phase")
    engine: str = Field("chgnet", description="Energy engine of stresses and relaxations")
    levels: int | None = Field(20, ge=2, description="Levels of noise")
    langevin: bool = Field(False, description="The paper's dynamics, with a step of `rate`")
    rate: float = Field(0.3, gt=0, description="Step over the square of the noise; the paper: 1")

    def sampling(self, steps: int | None = None) -> SamplingOptions:
        """How crystals are drawn; with the last number of steps if none is given."""
        return SamplingOptions(
            steps=steps or self.steps[-1],
            levels=self.levels,
            ancestral=not self.langevin,
            rate=self.rate,
        )

    @field_validator("steps", "pressures", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        """Take ``5,20`` from the command line."""
        return [part.strip() for part in value.split(",")] if isinstance(value, str) else value


def evaluate_cdvae(request: EvaluateRequest) -> dict[str, Any]:
    """Measure reconstruction, success within k samples, cost by steps, and what an engine says.

    ``success`` by steps at a level and ``random`` hold match rates (loose, strict) by number of
    samples, with 95 % intervals over crystals, and strict successes by number of atoms;
    ``pressures`` the pressure that the engine finds in cells drawn for a pressure; ``relaxations``
    how far the first crystals are from a minimum; ``compression`` the volumes under pressure;
    ``phases`` after how many samples a known phase is found.

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
    numbers = [cell[2] for cell in cells]
    success, drawn = {}, []
    for steps in options.steps:
        started = time.process_time()
        drawn = _draw(model, cells, request, options.sampling(steps))
        seconds = (time.process_time() - started) / (len(cells) * request.top_k)
        success[str(steps)] = _figures(references, drawn, request) | {
            "cpu_seconds_per_structure": seconds,
            "calls": steps * (options.levels or model.levels),
        }
    random = _random(cells, request)
    result = {
        "n": len(cells),
        "samples": request.top_k,
        "success": success,
        "random": _figures(references, random, request),
        "reconstruction": _reconstruction(model, cells, options, request),
        "pressures": pressures(
            model,
            numbers[: options.stressed],
            options.pressures,
            sampling=options.sampling(),
            engine=options.engine,
            seed=request.seed,
        ),
        "relaxations": _relaxations(drawn, random, options),
        "compression": compression(model, options.compressed) if options.compressed else None,
        "phases": _phases(model, options, request.seed),
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
    model: CdvaeModel, cells: list[Cell], request: EvaluateRequest, options: SamplingOptions
) -> list[list[Structure]]:
    """Draw `top_k` crystals for each composition and number of atoms."""
    numbers = [cell[2] for cell in cells for _ in range(request.top_k)]
    drawn: list[Structure] = []
    for start in range(0, len(numbers), options.batch_size):
        part = numbers[start : start + options.batch_size]
        made = model.generate(part, [0.0] * len(part), options, request.seed + start)
        drawn += [structure_of(cell) for cell in made]
        report(f"{options.steps} steps", len(drawn), len(numbers))
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
    sizes = np.array([len(reference) for reference in references])
    found = matches.hits("strict", request.top_k)
    return {
        "rates": matches.rates(),
        "intervals": matches.intervals(request.seed),
        "rmse": matches.rmse(),
        "strict_by_atoms": {
            f"{low}-{high}": {"n": int(here.sum()), "found": int(found[here].sum())}
            for low, high in ATOMS
            if (here := (sizes >= low) & (sizes <= high)).any()
        },
    }


def _reconstruction(
    model: CdvaeModel, cells: list[Cell], options: CdvaeEvaluation, request: EvaluateRequest
) -> dict[str, Any] | None:
    """Encode crystals and draw them once from the mean of z."""
    chosen = cells[: options.reconstructed]
    if not chosen:
        return None
    batch = Batch.of_cells(chosen, [0.0] * len(chosen))
    sampling = options.sampling()
    made = reconstruct(model.network, batch, sampling, request.seed)
    matches = Matches.of(
        [structure_of(cell) for cell in chosen], [[structure_of(cell)] for cell in made], 1
    )
    volumes = [volume(cell) / volume(true) for cell, true in zip(made, chosen, strict=True)]
    return {
        "n": len(chosen),
        "steps": sampling.steps,
        "rates": matches.rates(),
        "intervals": matches.intervals(request.seed),
        "rmse": matches.rmse(),
        "volume_mape": float(np.mean(np.abs(np.array(volumes) - 1))),
    }


def _relaxations(
    drawn: list[list[Structure]], random: list[list[Structure]], options: CdvaeEvaluation
) -> dict[str, Any] | None:
    """Relax the first crystal of each composition, drawn and random."""
    if not options.relaxed:
        return None
    first = {
        name: [found[0] for found in lists[: options.relaxed] if found]
        for name, lists in (("drawn", drawn), ("random", random))
    }
    return {name: relaxations(found, options.engine) for name, found in first.items()}


def _phases(model: CdvaeModel, options: CdvaeEvaluation, seed: int) -> dict[str, Any] | None:
    if options.phases is None:
        return None
    return find_phases(
        model,
        Phase.read(options.phases),
        tries=options.tries,
        sampling=options.sampling(),
        engine=options.engine,
        seed=seed,
    )
