"""Training of the ranker: compositions are left out of a bank, one after the other."""

from __future__ import annotations

import time
from collections import Counter
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field
from safetensors.numpy import load_file, save_file

from screening.checkpoints import Card, save_checkpoint
from screening.composition import CompositionArray
from screening.crystal.crystals import structure_of
from screening.crystal.distances import fingerprint
from screening.crystal.equality import REFUSED
from screening.crystal.limits import DEFAULT_MAX_ATOMS
from screening.engines import make_engine
from screening.engines.single_points import single_points
from screening.errors import InputError
from screening.identity import content_hash, derive_seed
from screening.metrics.matching import rms_distance
from screening.progress import report
from screening.prototypes.bank import Bank
from screening.prototypes.build import cells_of_table
from screening.prototypes.proposals import find_candidates
from screening.prototypes.ranker import RANKER_CLASS
from screening.prototypes.ranking_features import FEATURES, describe, describe_energies, start_of
from screening.prototypes.retrieval import diverse_order
from screening.prototypes.train import BankOptions, learn
from screening.training.data import (
    STRUCTURE_COLUMNS,
    canonical_formulas,
    fingerprints,
    held_out,
    read_table,
)
from screening.training.request import parse_options, plain_metrics
from screening.training.state import clear_states, state_folder
from screening.training.trees import Cases, TreeOptions, fit_trees, pack_text

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from screening.crystal.crystals import Cell
    from screening.engines.base import Engine
    from screening.training.request import TrainRequest

LOOSE = 0.5
"""Weight of a candidate that matches with the loose tolerances only."""
_PACKAGES = ("chgnet", "lightgbm", "numpy", "pymatgen", "spglib")
_PART = 50
REFERENCES = [
    "10.1021/jacs.8b03913",
    "10.1021/ic102031h",
    "10.1038/s42256-023-00716-3",
    "10.1016/j.commatsci.2022.111496",
]


class RankerOptions(BaseModel):
    """Options of ``screening train ranker --set NAME=VALUE``."""

    model_config = ConfigDict(extra="forbid")

    targets: int = Field(2400, ge=1, description="Crystals that are left out in turn")
    held_out: float = Field(0.1, gt=0, lt=0.9, description="Share of formulas that is not seen")
    epochs: int = Field(8, ge=0, description="Passes of the substitution model of the bank")
    engine: str = Field("chgnet", description="Potential of the second ensemble; none for none")
    evaluated: int = Field(16, ge=1, description="Candidates of a composition with an energy")
    rounds: int = Field(60, ge=1, description="Trees of each ensemble")
    rate: float = Field(0.05, gt=0, description="Learning rate of the trees")
    leaves: int = Field(15, ge=2, description="Leaves of a tree")
    smallest: int = Field(60, ge=1, description="Fewest candidates in a leaf")

    def trees(self, seed: int) -> TreeOptions:
        """Hyperparameters of one ensemble."""
        return TreeOptions(self.rounds, self.rate, self.leaves, self.smallest, seed)


def train_ranker(request: TrainRequest) -> Card:
    """Fit the ranker on crystals of a table and write its checkpoint.

    A bank is built from the table without the held-out formulas. Half of the targets have a known
    number of atoms in the cell. What was computed is kept in the output folder for `resume`.

    Raises
    ------
    InputError
        If the data or the options cannot be used.
    """
    options = parse_options(RankerOptions, request.options)
    if len(request.data) != 1:
        raise InputError(f"{len(request.data)} files: the ranker is trained on one structure table")
    start = time.monotonic()
    before = 0.0
    table = read_table(request.data[0], STRUCTURE_COLUMNS).reset_index(drop=True)
    formulas = canonical_formulas(table["formula"].tolist())
    measured = held_out(formulas, fraction=options.held_out, seed=request.seed)
    asked = options.model_dump(include={"targets", "held_out", "epochs", "engine", "evaluated"})
    source = request.source(request.data[0], len(table))
    folder = state_folder(request) / content_hash(source.sha256, asked, FEATURES, request.seed)[:16]
    exclude = sorted({f for f, out in zip(formulas, measured, strict=True) if out})
    bank = Bank.from_table(table, exclude_formulas=exclude)
    bank, _ = learn(bank, BankOptions(epochs=options.epochs), request.seed)
    seed = derive_seed("ranker", request.seed)
    rows = np.random.default_rng(seed).permutation(np.flatnonzero(~measured))[: options.targets]
    parts = []
    engine = None if options.engine == "none" else make_engine(options.engine)
    for first in range(0, len(rows), _PART):
        chosen = rows[first : first + _PART]
        cells = [c for c in cells_of_table(table.iloc[chosen])[0] if not isinstance(c, str)]
        path = folder / f"part-{first}.safetensors"
        kept = path.is_file()
        part = _part(path, bank, cells, engine, options)
        before += float(part["seconds"].sum()) if kept else 0.0
        parts += [part] if part else []
        report("leaving out", min(first + _PART, len(rows)), len(rows))
    if not parts:
        raise InputError(f"{request.data[0]}: no crystal has candidates in the rest of the file")
    plain, energetic = (_join(parts, name) for name in ("plain", "energetic"))
    tensors: dict[str, NDArray[Any]] = {
        "plain": pack_text(fit_trees(plain, options.trees(seed % 2**31))),
        "energetic": pack_text(fit_trees(energetic, options.trees(seed % 2**31)) if engine else ""),
        "seen_formulas": fingerprints(sorted(set(formulas) - set(exclude))),
    }
    card = Card(
        name=request.out.name,
        version="2",
        model=RANKER_CLASS,
        description="Ranks the candidates of a composition, with energies of a potential.",
        arguments={
            "engine": None if engine is None else options.engine,
            "evaluated": options.evaluated,
            "features": FEATURES,
        },
        hyperparameters=options.model_dump(),
        data=[source],
        split={"held_out": options.held_out, "by": "formula", "seed": request.seed},
        metrics=plain_metrics(_counts(plain)),
        seed=request.seed,
        wall_time=before + time.monotonic() - start,
        device="cpu",
        packages={name: version(name) for name in _PACKAGES},
        references=REFERENCES,
    )
    written = save_checkpoint(request.out, tensors, card)
    clear_states(request)
    return written


def _counts(cases: Cases) -> dict[str, Any]:
    """Describe what was learned from."""
    groups = np.unique(cases.groups)
    found = np.unique(cases.groups[cases.weights > 0])
    return {"n": len(groups), "candidates": len(cases.groups), "found": len(found) / len(groups)}


def _part(
    path: Path, bank: Bank, cells: list[Cell], engine: Engine | None, options: RankerOptions
) -> dict[str, NDArray[Any]]:
    """Compute the cases of some targets, or read them where they were computed before."""
    if path.is_file():
        kept: dict[str, NDArray[Any]] = load_file(path)
        return kept
    start = time.monotonic()
    found = [
        cases
        for index, cell in enumerate(cells)
        for cases in [_cases(bank, cell, engine, options.evaluated, known=index % 2 == 0)]
        if cases is not None
    ]
    if not found:
        return {}
    arrays = {
        f"{name}_{key}": np.concatenate([case[name][key] for case in found])
        for name in ("plain", "energetic")
        for key in ("features", "start", "weights")
    }
    for name in ("plain", "energetic"):
        sizes = [len(case[name]["start"]) for case in found]
        arrays[f"{name}_groups"] = np.repeat(np.arange(len(found)), sizes)
    arrays["seconds"] = np.array([time.monotonic() - start])
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    save_file({name: np.ascontiguousarray(value) for name, value in arrays.items()}, partial)
    partial.replace(path)
    return arrays


def _cases(
    bank: Bank, cell: Cell, engine: Engine | None, evaluated: int, *, known: bool
) -> dict[str, dict[str, NDArray[Any]]] | None:
    """Candidates of one crystal that is left out; None if there are none."""
    numbers = cell[2]
    composition = {int(z): int(n) for z, n in Counter(numbers.tolist()).items()}
    divisor = int(np.gcd.reduce(list(composition.values())))
    unit = len(numbers) // divisor
    largest = max(DEFAULT_MAX_ATOMS, len(numbers))
    sizes = [len(numbers)] if known else list(range(unit, largest + 1, unit))
    formula = CompositionArray.from_counts([composition]).reduced().formulas()[0]
    candidates = find_candidates(bank, composition, sizes, without=formula)
    if not len(candidates):
        return None
    features = describe(bank, candidates, without=formula).astype(np.float32)
    start = start_of(candidates)
    weights = _weights(cell, [item.cell for item in candidates.proposed], candidates.fingerprints)
    chosen = diverse_order(np.exp(start), candidates.fingerprints, evaluated)
    part = np.sort([index for index, _ in chosen])
    energies = np.full((len(part), 6), np.nan)
    if engine is not None:
        energies = single_points([candidates.proposed[i].cell for i in part.tolist()], engine)
    more = np.hstack([features[part], describe_energies(energies, start[part])])
    return {
        "plain": {"features": features, "start": start, "weights": weights},
        "energetic": {
            "features": more.astype(np.float32),
            "start": start[part],
            "weights": weights[part],
        },
    }


def _weights(cell: Cell, proposed: list[Cell], places: NDArray[np.float64]) -> NDArray[np.float64]:
    """How well each candidate matches the crystal: 1 strictly, less loosely, 0 not."""
    own = fingerprint(*cell).ravel()
    differences = np.sqrt(((places - own) ** 2).mean(axis=1))
    weights = np.zeros(len(proposed))
    reference = structure_of(cell)
    for index in np.flatnonzero(differences <= REFUSED).tolist():
        structure = structure_of(proposed[index])
        if np.isfinite(rms_distance(reference, structure, "loose")):
            strict = np.isfinite(rms_distance(reference, structure, "strict"))
            weights[index] = 1.0 if strict else LOOSE
    return weights


def _join(parts: list[dict[str, NDArray[Any]]], name: str) -> Cases:
    """Put the cases of all parts together."""
    offsets = np.cumsum([0, *(int(part[f"{name}_groups"].max(initial=-1)) + 1 for part in parts)])
    groups = [part[f"{name}_groups"] + o for part, o in zip(parts, offsets[:-1], strict=True)]
    joined = {
        key: np.concatenate([part[f"{name}_{key}"] for part in parts])
        for key in ("features", "start", "weights")
    }
    return Cases(groups=np.concatenate(groups), **joined)
