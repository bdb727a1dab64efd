"""How often the right crystal is among the proposals: ``screening evaluate structures``."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from screening.checkpoints.io import file_sha256
from screening.crystal.crystals import standardise, structure_of
from screening.crystal.isopointal import canonical_label, label_name
from screening.crystal.limits import DEFAULT_MAX_ATOMS
from screening.elements import symbols
from screening.errors import InputError
from screening.metrics.matching import TOLERANCES, Matches
from screening.progress import report
from screening.prototypes.bank import Bank
from screening.prototypes.build import cells_of_table
from screening.prototypes.ranker import Ranker
from screening.prototypes.train import BankOptions, learn
from screening.structure.prototypes import PrototypeGenerator
from screening.structure.request import Target
from screening.training.data import (
    STRUCTURE_COLUMNS,
    canonical_formulas,
    held_out,
    read_table,
    unseen,
)
from screening.training.request import parse_options, plain_metrics

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray
    from pymatgen.core import Structure

    from screening.crystal.crystals import Cell, Crystal
    from screening.training.request import EvaluateRequest

HELD_OUT = 0.1
"""Share of formulas, or of prototype families, that is held out where the sample does not say."""
ON_HULL = 1e-3
"""Energy above the hull (eV/atom) up to which a crystal counts as one on the hull."""


class StructureOptions(BaseModel):
    """Options of ``screening evaluate structures``."""

    model_config = ConfigDict(extra="forbid")

    epochs: int = Field(8, ge=0, description="Passes of the substitution model, for an own bank")
    ranker: str = Field("ranker", description="Checkpoint of the ranking")
    energies: bool = Field(True, description="Whether the ranking knows energies")


@dataclass(frozen=True)
class _Task:
    """What is measured, and the bank and the ranking that have not seen it.

    `n_seen` targets had their formula in the checkpoint's bank, from which it was removed;
    `n_ranked` had it among the formulas that the ranking was fitted on. `parts` are masks of the
    targets, each ``(n,)``.
    """

    cells: list[Cell]
    parts: dict[str, NDArray[np.bool_]]
    bank: Bank
    ranker: Ranker
    n_seen: int
    n_ranked: int


def evaluate_structures(request: EvaluateRequest) -> dict[str, Any]:
    """Measure retrieval on crystals whose formulas (or prototype families) it has not seen.

    The bank is built from the same file without what is measured, or is the checkpoint's, from
    which the measured formulas are then removed. Only the composition of the primitive cell is
    given (``match``), or only the reduced formula (``unknown_count``). No proposal is filtered out
    by validity rules. ``rmse`` is the mean distance of the best-ranked match with the loose
    tolerances (as StructureMatcher gives it: in units of (V/N)^(1/3)), ``rmse_closest`` that of the
    closest one; ``..._strict`` with the strict tolerances. With held-out prototype families,
    ``families`` counts the crystals of each and those that were found. ``parts`` are the targets
    on the hull, above it, with another crystal of equal formula and number of atoms in the file
    (``polymorphs``: only one of them can come first), and without (``alone``).

    Returns
    -------
    Plain JSON; rates are fractions of the targets, intervals 95 % bootstrap intervals.

    Raises
    ------
    InputError
        If the request cannot be met.
    """
    if request.top_k < 1:
        raise InputError(f"top_k={request.top_k} must be at least 1")
    options = parse_options(StructureOptions, request.options)
    task = _prepare(request, options)
    references = [structure_of(cell) for cell in task.cells]
    generator = PrototypeGenerator(task.bank, task.ranker, energies=options.energies)
    known, seconds = _predict(generator, references, request.top_k, count_known=True)
    unknown, _ = _predict(generator, references, request.top_k, count_known=False)
    report("matching", 0, 2)
    matches = Matches.of(references, known, request.top_k)
    report("matching", 1, 2)
    free = Matches.of(references, unknown, request.top_k)
    report("matching", 2, 2)
    ref = task.bank.ref
    engine = task.ranker.engine if options.energies else None
    result = {
        **_figures(matches, request.seed),
        "families": _by_family(task.cells, matches) if request.holdout == "prototype" else {},
        "unknown_count": _figures(free, request.seed),
        "parts": {
            name: {"n": int(mask.sum()), **_figures(matches.part(mask), request.seed)}
            for name, mask in task.parts.items()
            if mask.any()
        },
        "n": len(references),
        "n_without_proposal": sum(not ranked for ranked in known),
        "n_seen": task.n_seen,
        "n_ranked": task.n_ranked,
        "holdout": request.holdout,
        "tolerances": {name: list(values) for name, values in TOLERANCES.items()},
        "data_sha256": file_sha256(request.data),
        "checkpoint": {"name": ref.name, "sha256": ref.sha256} if ref else None,
        "ranker": {"name": task.ranker.ref.name, "sha256": task.ranker.ref.sha256},
        "energies": engine,
        "bank": {"prototypes": task.bank.n_prototypes, "decorations": len(task.bank)},
        "seed": request.seed,
        "top_k": request.top_k,
        "seconds_per_target": seconds,
    }
    plain: dict[str, Any] = plain_metrics(result)
    return plain


def _figures(matches: Matches, seed: int) -> dict[str, Any]:
    """Rates with their intervals, and distances by both tolerances."""
    rmse, closest = matches.rmse(), matches.closest()
    return {
        "match": matches.rates(),
        "match_interval": matches.intervals(seed),
        "rmse": rmse["loose"],
        "rmse_strict": rmse["strict"],
        "rmse_closest": closest["loose"],
        "rmse_closest_strict": closest["strict"],
    }


def _by_family(cells: list[Cell], matches: Matches) -> dict[str, dict[str, float]]:
    """Count the crystals of each prototype family, and those that were found loosely."""
    hits = matches.hits("loose", matches.ranks()[-1])
    families: dict[str, dict[str, float]] = {}
    for cell, hit in zip(cells, hits.tolist(), strict=True):
        crystal = standardise(cell)
        name = crystal if isinstance(crystal, str) else _family(crystal)
        row = families.setdefault(name, {"n": 0, "found": 0})
        row["n"] += 1
        row["found"] += hit
    return dict(sorted(families.items(), key=lambda item: (-item[1]["n"], item[0])))


def _prepare(request: EvaluateRequest, options: StructureOptions) -> _Task:
    """Choose the rows that are measured, and make or mask the bank."""
    if request.holdout not in {"formula", "prototype"}:
        raise InputError(f"holdout={request.holdout!r}: use 'formula' or 'prototype'")
    by_family = request.holdout == "prototype"
    table = read_table(request.data, STRUCTURE_COLUMNS).reset_index(drop=True)
    formulas = np.array(canonical_formulas(table["formula"].tolist()), dtype=object)
    given = Bank.load(request.checkpoint) if request.checkpoint else None
    ranker = Ranker.load(options.ranker)
    ranked = ~unseen(formulas.tolist(), ranker.seen_formulas)
    seen = np.isin(formulas, given.formulas) if given else np.zeros(len(table), dtype=bool)
    order = np.random.default_rng(request.seed).permutation(len(table))
    order = order[np.argsort(seen[order] | ranked[order], kind="stable")]
    limit = len(table) if request.sample is None else request.sample
    if by_family:
        rows = _rows_of_held_families(table, order, limit, request.seed)
    elif given is None and request.sample is None:
        rows = np.flatnonzero(held_out(formulas.tolist(), fraction=HELD_OUT, seed=request.seed))
    else:
        rows = order[:limit]
    if not len(rows):
        raise InputError(f"{request.data}: nothing to measure; give a larger file or sample")
    measured = sorted(set(formulas[rows].tolist()))
    bank = given.without(measured) if given else Bank.from_table(table, exclude_formulas=measured)
    if by_family:
        names = [_family(bank.crystal(prototype)) for prototype in range(bank.n_prototypes)]
        held = held_out(names, fraction=HELD_OUT, seed=request.seed)
        bank = bank.subset(~held[bank.prototypes])
    if given is None:
        bank, _ = learn(bank, BankOptions(epochs=options.epochs), request.seed)
    cells, parts = _cells(table.iloc[rows]), _parts(table, formulas.tolist(), rows)
    return _Task(cells, parts, bank, ranker, int(seen[rows].sum()), int(ranked[rows].sum()))


def _parts(
    table: pd.DataFrame, formulas: list[str], rows: NDArray[np.int64]
) -> dict[str, NDArray[np.bool_]]:
    """Mask those of the `rows` on the hull and above it, with polymorphs of equal size or none."""
    hulls = table["e_above_hull"].to_numpy(dtype=np.float64)[rows]
    kinds = list(zip(formulas, table["n_sites"].tolist(), strict=True))
    amounts = Counter(kinds)
    polymorphs = np.array([amounts[kinds[row]] > 1 for row in rows.tolist()], dtype=bool)
    return {
        "on_hull": hulls <= ON_HULL,
        "above_hull": hulls > ON_HULL,
        "alone": ~polymorphs,
        "polymorphs": polymorphs,
    }


def _cells(table: pd.DataFrame) -> list[Cell]:
    return [cell for cell in cells_of_table(table)[0] if not isinstance(cell, str)]


def _family(crystal: Crystal) -> str:
    """Name of the prototype family: space group and Wyckoff letters by class, any geometry."""
    return label_name(canonical_label(crystal)[0])


def _rows_of_held_families(
    table: pd.DataFrame, order: NDArray[np.int64], limit: int, seed: int
) -> NDArray[np.int64]:
    """Go through the rows in the given order and keep those of held-out families."""
    rows: list[int] = []
    for row in order.tolist():
        if len(rows) == limit:
            break
        crystal = standardise(_cells(table.iloc[[row]])[0])
        if isinstance(crystal, str):
            continue
        if held_out([_family(crystal)], fraction=HELD_OUT, seed=seed)[0]:
            rows.append(row)
    return np.array(rows, dtype=np.int64)


def _predict(
    generator: PrototypeGenerator, references: list[Structure], n: int, *, count_known: bool
) -> tuple[list[list[Structure]], float]:
    """Propose structures for each reference's composition.

    Returns
    -------
    Proposals, best first, and the mean time of one target (s).
    """
    largest = max(DEFAULT_MAX_ATOMS, *(len(reference) for reference in references))
    predictions = []
    start = time.perf_counter()
    for index, reference in enumerate(references):
        counts = Counter(site.specie.Z for site in reference)
        formula = "".join(f"{symbols()[z]}{count}" for z, count in sorted(counts.items()))
        target = Target.of_cell(formula) if count_known else Target(formula, max_atoms=largest)
        proposals = generator.generate(target, n, seed=0)
        predictions.append([proposal.structure for proposal in proposals])
        report("predicting", index + 1, len(references))
    return predictions, (time.perf_counter() - start) / len(references)
