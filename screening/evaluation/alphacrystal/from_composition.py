"""How often crystals from predicted maps are right, from the composition alone.

``screening evaluate alphacrystal --match 10``: the symmetry stage predicts space groups and sizes,
the structure stage predicts maps and rebuilds crystals from them, as in both AlphaCrystal papers.
No known crystal is used as a template, and the number of atoms in the cell is not given.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, field_validator

from screening.checkpoints.io import file_sha256
from screening.composition import CompositionArray
from screening.crystal.crystals import structure_of
from screening.engines import make_engine
from screening.errors import InputError
from screening.evaluation.alphacrystal.held_out import choose_measured
from screening.evaluation.alphacrystal.recovery import finite
from screening.metrics.compare import compare
from screening.metrics.legacy.points import cloud
from screening.metrics.legacy.superposition import superpose_rmsd
from screening.metrics.matching import TOLERANCES, Matches
from screening.progress import report
from screening.prototypes.build import cells_of_table
from screening.structure import Target
from screening.structure.alphacrystal.generators import (
    ContactMapGenerator,
    DistanceMatrixGenerator,
    MapGenerator,
)
from screening.structure.alphacrystal.model import MapModel
from screening.structure.alphacrystal.search import AlgorithmName, Search
from screening.symmetry import SymmetryModel
from screening.training.request import parse_options, plain_metrics

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pymatgen.core import Structure

    from screening.engines import Engine
    from screening.structure.request import Proposal
    from screening.training.request import EvaluateRequest

GENERATORS: dict[str, type[MapGenerator]] = {
    "contact-map": ContactMapGenerator,
    "distance-matrix": DistanceMatrixGenerator,
}
PAPER_TABLE_3 = {
    "median_of_10": 1.0198,
    "median_of_20": 0.9680,
    "median_gnoa": 1.3307,
    "n": 30,
}
"""AlphaCrystal-II, Table 3: medians of the best superpose distance (Angstrom)."""
PAPER_TABLE_4 = {
    "contact-map": {"energy": 6.4508, "sinkhorn": 18.6380, "superpose": 1.0427,
                    "fingerprint": 1.2468, "ofm": 0.2078},
    "distance-matrix": {"energy": 0.0247, "sinkhorn": 17.3282, "superpose": 1.0350,
                        "fingerprint": 0.8411, "ofm": 0.0687},
}  # fmt: skip
"""AlphaCrystal-II, Table 4: medians of the six formulas that both have; eV/cell and Angstrom."""
TABLE_4 = {
    "energy": "legacy_energy",
    "sinkhorn": "legacy_sinkhorn",
    "superpose": "legacy_superpose",
    "fingerprint": "legacy_fingerprint",
    "ofm": "legacy_ofm",
}
RANKS = (1, 5, 10, 20)


class MatchOptions(BaseModel):
    """Options of ``screening evaluate alphacrystal --match N``."""

    model_config = ConfigDict(extra="forbid")

    methods: tuple[str, ...] = Field(tuple(GENERATORS), description="Which methods are measured")
    symmetry: str = Field("symmetry", description="Checkpoint of the symmetry model")
    groups: Literal["predicted", "all"] = Field("predicted", description="Space groups")
    engine: str = Field("none", description="Potential that orders the crystals; none for none")
    algorithm: AlgorithmName = Field("gradient", description="How crystals are searched for")
    evaluations: int = Field(400, ge=50, description="Most evaluations of a choice of positions")
    assignments: int = Field(24, ge=1, description="Choices of positions for each space group")
    max_atoms: int = Field(12, ge=2, le=24, description="Most atoms in the cell")
    detailed: int = Field(0, ge=0, description="Formulas that are compared by all of Table 4")

    @field_validator("methods", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        """Take ``contact-map,distance-matrix`` from the command line."""
        return value.split(",") if isinstance(value, str) else value

    @field_validator("methods")
    @classmethod
    def _known(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value or not set(value) <= set(GENERATORS):
            raise ValueError(f"use some of {sorted(GENERATORS)}")
        return value


def measure_matches(request: EvaluateRequest, top: int) -> dict[str, Any]:
    """Rebuild crystals of formulas that neither maps nor symmetry were trained on.

    Parameters
    ----------
    request
        Data, checkpoint of the maps, sample, seed and `MatchOptions`.
    top
        Longest list that counts.

    Returns
    -------
    Plain JSON: for each method ``match`` and ``match_interval`` by tolerance and rank (shares of
    all targets, 95 % bootstrap intervals), ``superpose``, the equivalent of AlphaCrystal-II's Table
    3, and ``table_4``; ``rows``, each formula.

    Raises
    ------
    InputError
        If the options cannot be used, or nothing is left to measure.
    """
    if top < 1:
        raise InputError(f"match={top} must be at least 1")
    options = parse_options(MatchOptions, request.options)
    model = MapModel.load(request.checkpoint or "maps")
    symmetry = SymmetryModel.load(options.symmetry)
    chosen = choose_measured(
        request.data,
        [model.seen_formulas, symmetry.seen_formulas],
        max_atoms=options.max_atoms,
        metals=False,
        sample=request.sample,
        seed=request.seed,
    )
    references = [structure_of(c) for c in cells_of_table(chosen.test)[0] if not isinstance(c, str)]
    formulas = chosen.test["formula"].tolist()
    engine = None if options.engine == "none" else make_engine(options.engine)
    guesses = symmetry.predict(CompositionArray.from_formulas(formulas), 14, 230)
    targets = [
        Target(formula, max_atoms=max(options.max_atoms, len(reference)), symmetry=guess)
        for formula, reference, guess in zip(formulas, references, guesses, strict=True)
    ]
    result: dict[str, Any] = {"n": len(targets), "top": top}
    rows = [
        {"formula": formula, "atoms": len(reference)}
        for formula, reference in zip(formulas, references, strict=True)
    ]
    for name in options.methods:
        generator = GENERATORS[name](
            model,
            templates=False,
            search=Search(options.algorithm, options.evaluations, assignments=options.assignments),
            groups=options.groups,
            engine=None if options.engine == "none" else options.engine,
        )
        proposed, seconds = _propose(generator, targets, top, request.seed)
        result[name] = _figures(references, proposed, top, request.seed, rows, name)
        result[name]["seconds_per_formula"] = seconds
        if options.detailed:
            detailed = min(options.detailed, len(references))
            result[name]["table_4"] = _table_4(references[:detailed], proposed, engine, name)
    result |= {
        "rows": rows,
        "tolerances": {name: list(values) for name, values in TOLERANCES.items()},
        "data_sha256": file_sha256(request.data),
        "checkpoint": model.ref.model_dump(),
        "symmetry": symmetry.ref.model_dump(),
        "engine": options.engine,
        "seed": request.seed,
    }
    plain: dict[str, Any] = plain_metrics(result)
    return plain


def _propose(
    generator: MapGenerator, targets: Sequence[Target], top: int, seed: int
) -> tuple[list[list[Proposal]], float]:
    """Propose crystals for all targets; gives them and the seconds of the processor for one."""
    proposed = []
    start = time.process_time()
    for i, target in enumerate(targets):
        proposed.append(generator.generate(target, top, seed))
        report(f"rebuilding: {generator.name}", i + 1, len(targets), target.formula)
    return proposed, (time.process_time() - start) / len(targets)


def _figures(  # noqa: PLR0917 - one table of each method
    references: Sequence[Structure],
    proposed: Sequence[Sequence[Proposal]],
    top: int,
    seed: int,
    rows: list[dict[str, Any]],
    name: str,
) -> dict[str, Any]:
    """Match rates and superpose distances; what each formula has is added to `rows`."""
    predictions = [[proposal.structure for proposal in ranked] for ranked in proposed]
    ranks = sorted({rank for rank in RANKS if rank < top} | {top})
    result: dict[str, Any] = {"match": {}, "match_interval": {}}
    matches = Matches.of(references, predictions, top)
    for rank in ranks:
        part = Matches({tolerance: rms[:, :rank] for tolerance, rms in matches.rms.items()})
        for tolerance, rates in part.rates().items():
            result["match"].setdefault(tolerance, {})[str(rank)] = rates[str(rank)]
        for tolerance, intervals in part.intervals(seed).items():
            result["match_interval"].setdefault(tolerance, {})[str(rank)] = intervals[str(rank)]
    result["rmse"] = matches.rmse()
    distances = [
        [_superpose(reference, structure) for structure in ranked]
        for reference, ranked in zip(references, predictions, strict=True)
    ]
    best = {rank: [min(own[:rank], default=float("nan")) for own in distances] for rank in (10, 20)}
    result["superpose"] = {"paper": PAPER_TABLE_3} | {
        f"median_of_{rank}": finite(np.median(values))
        for rank, values in best.items()
        if rank <= top
    }
    hits = np.isfinite(matches.rms["loose"])
    for i, row in enumerate(rows):
        row[name] = {
            "rank": int(hits[i].argmax()) + 1 if hits[i].any() else None,
            "superpose_of_10": finite(best[10][i]),
            "superpose_of_20": finite(best[20][i]),
            "n": len(predictions[i]),
        }
    result["n_without_proposal"] = sum(not ranked for ranked in predictions)
    return result


def _superpose(reference: Structure, predicted: Structure) -> float:
    """Superpose distance (Angstrom) of cells with the same atoms, else infinite."""
    if reference.composition != predicted.composition:
        return float("inf")
    return superpose_rmsd(cloud(reference), cloud(predicted))


def _table_4(
    references: Sequence[Structure],
    proposed: Sequence[Sequence[Proposal]],
    engine: Engine | None,
    name: str,
) -> dict[str, Any]:
    """Best value of each metric of Table 4 over the proposals, median over formulas."""
    best: dict[str, list[float]] = {key: [] for key in TABLE_4}
    for i, (reference, ranked) in enumerate(zip(references, proposed, strict=False)):
        found = [
            compare(reference, proposal.structure, legacy=True, engine=engine)
            for proposal in ranked
            if proposal.structure.composition == reference.composition
        ]
        for key, metric in TABLE_4.items():
            values = [row[metric] for row in found if row.get(metric) is not None]
            best[key].append(min(values, default=float("nan")))
        report(f"comparing: {name}", i + 1, len(references))
    medians = {
        key: finite(np.nanmedian(values)) if np.isfinite(values).any() else None
        for key, values in best.items()
    }
    rows = {key: [finite(value) for value in values] for key, values in best.items()}
    return {"paper": PAPER_TABLE_4[name], "n": len(references), **medians, "rows": rows}
