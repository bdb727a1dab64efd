"""Training of the judge: crystals that the ranking was not fitted on are left out in turn."""

from __future__ import annotations

import time
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from screening.checkpoints import Card, load_checkpoint, save_checkpoint
from screening.engines import engine_id, make_engine
from screening.errors import InputError
from screening.identity import content_hash
from screening.progress import report
from screening.structure.building import cells_of_table
from screening.structure.judge import FEATURES, JUDGE_CLASS, Court, hear
from screening.structure.ranker import Ranker
from screening.structure.ranker_training import (
    PART,
    RankerOptions,
    join_cases,
    kept_part,
    leave_out,
    prepare,
    weights_of,
)
from screening.training.data import STRUCTURE_COLUMNS, fingerprints, read_table
from screening.training.request import parse_options, plain_metrics
from screening.training.state import clear_states, state_folder
from screening.training.trees import Cases, TreeOptions, Trees, fit_trees, pack_text

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd
    from numpy.typing import NDArray

    from screening.engines import Engine
    from screening.structure.bank import Bank
    from screening.structure.crystals import Cell
    from screening.training.request import TrainRequest

_PACKAGES = ("chgnet", "lightgbm", "numpy", "pymatgen", "spglib")
_FOLDS = 5
REFERENCES = ["10.1038/s42256-023-00716-3", "10.1021/acs.jctc.4c00190"]


class JudgeOptions(BaseModel):
    """Options of ``screening train judge --set NAME=VALUE``."""

    model_config = ConfigDict(extra="forbid")

    ranker: str = Field("ranker", description="Checkpoint of the ranking whose shares it corrects")
    targets: int = Field(400, ge=1, description="Crystals that are left out in turn")
    relaxing: str = Field("chgnet", description="Potential of the relaxations")
    judging: str = Field("sevennet-l3i5", description="Potential of the energies")
    steps: int = Field(40, ge=1, description="Most steps of a relaxation")
    heard: int = Field(10, ge=2, description="Candidates of a composition that are relaxed")
    rounds: int = Field(60, ge=1, description="Trees")
    rate: float = Field(0.05, gt=0, description="Learning rate of the trees")
    leaves: int = Field(4, ge=2, description="Leaves of a tree")
    smallest: int = Field(30, ge=1, description="Fewest candidates in a leaf")

    def trees(self, seed: int) -> TreeOptions:
        """Hyperparameters of the ensemble."""
        return TreeOptions(self.rounds, self.rate, self.leaves, self.smallest, seed)


def train_judge(request: TrainRequest) -> Card:
    """Fit the judge on crystals of the table that the ranking was fitted on, but other targets.

    Metrics are the shares of the targets whose likeliest candidate matches, by the ranking, by the
    lowest energy after relaxation, and by the judge, fitted on four fifths and measured on the
    rest in turn. What was computed is kept in the output folder for `resume`.

    Raises
    ------
    InputError
        If the data or the options cannot be used.
    """
    options = parse_options(JudgeOptions, request.options)
    if len(request.data) != 1:
        raise InputError(f"{len(request.data)} files: the judge is trained on one structure table")
    start = time.monotonic()
    ranking, ranker = load_checkpoint(options.ranker).card, Ranker.load(options.ranker)
    table = read_table(request.data[0], STRUCTURE_COLUMNS).reset_index(drop=True)
    source = request.source(request.data[0], len(table))
    if ranker.engine is None:
        raise InputError(f"the ranking {options.ranker!r} knows no energies: fit one that does")
    if source.sha256 != ranking.data[0].sha256:
        raise InputError(
            f"{request.data[0]} is not the file that the ranking {options.ranker!r} was fitted on: "
            "its other crystals are needed, which are new to both"
        )
    fitted = RankerOptions.model_validate(ranking.hyperparameters)
    lessons = prepare(table, fitted, ranking.seed)
    rows = lessons.rows[fitted.targets :][: options.targets]
    if not len(rows):
        raise InputError(f"{request.data[0]}: the ranking was fitted on all of its crystals")
    asked = options.model_dump(include={"targets", "relaxing", "judging", "steps", "heard"})
    key = content_hash(source.sha256, asked, FEATURES, ranker.ref.sha256)[:16]
    cases, before = _collect(
        lessons.bank, table.iloc[rows], ranker, options, state_folder(request) / key
    )
    trees = options.trees(lessons.seed % 2**31)
    card = Card(
        name=request.out.name,
        version="1",
        model=JUDGE_CLASS,
        description="Ranks the first candidates of a composition again, relaxed.",
        arguments={
            "ranker": ranker.ref.sha256,
            **options.model_dump(include={"relaxing", "judging", "steps", "heard"}),
            "features": FEATURES,
        },
        hyperparameters=options.model_dump(),
        data=[source],
        split=ranking.split,
        metrics=plain_metrics(_metrics(cases, trees)),
        seed=ranking.seed,
        wall_time=before + time.monotonic() - start,
        device="cpu",
        packages={
            **{name: version(name) for name in _PACKAGES},
            "engines": f"{engine_id(options.relaxing)}, {engine_id(options.judging)}",
        },
        references=REFERENCES,
    )
    tensors: dict[str, NDArray[Any]] = {
        "trees": pack_text(fit_trees(cases, trees)),
        "seen_formulas": fingerprints(lessons.formulas),
    }
    written = save_checkpoint(request.out, tensors, card)
    clear_states(request)
    return written


def _collect(
    bank: Bank, table: pd.DataFrame, ranker: Ranker, options: JudgeOptions, folder: Path
) -> tuple[Cases, float]:
    """Judge the candidates of all targets; also the seconds that kept parts took before."""
    engine = make_engine(str(ranker.engine))
    relaxing = engine if options.relaxing == ranker.engine else make_engine(options.relaxing)
    court = Court(relaxing, make_engine(options.judging), options.steps, options.heard)
    parts, before = [], 0.0
    for first in range(0, len(table), PART):
        rows = table.iloc[first : first + PART]
        cells = [cell for cell in cells_of_table(rows)[0] if not isinstance(cell, str)]
        path = folder / f"part-{first}.safetensors"
        kept = path.is_file()
        part = kept_part(
            path,
            cells,
            lambda cell, known: _cases(bank, ranker, cell, engine, court, known=known),
        )
        before += float(part["seconds"].sum()) if kept else 0.0
        parts += [part] if part else []
        report("leaving out", min(first + PART, len(table)), len(table))
    if not parts:
        raise InputError("no crystal of the file has candidates in the rest of it")
    return join_cases(parts, "judged"), before


def _cases(
    bank: Bank, ranker: Ranker, cell: Cell, engine: Engine, court: Court, *, known: bool
) -> dict[str, dict[str, NDArray[Any]]] | None:
    """Judge the candidates of one crystal that is left out; None if there are none."""
    candidates, formula = leave_out(bank, cell, known=known)
    if not len(candidates):
        return None
    shares = ranker.shares(bank, candidates, engine, without=formula)
    case = hear(candidates, shares, court)
    cells = [candidates.proposed[i].cell for i in case.chosen.tolist()]
    return {
        "judged": {
            "features": case.features.astype(np.float32),
            "start": case.start,
            "weights": weights_of(cell, cells, candidates.fingerprints[case.chosen]),
        }
    }


def _metrics(cases: Cases, options: TreeOptions) -> dict[str, Any]:
    """Shares of the targets whose first candidate is right, in cross-validation."""
    judged = np.empty(len(cases.start))
    folds = np.random.default_rng(options.seed).permutation(int(cases.groups.max()) + 1) % _FOLDS
    for fold in range(_FOLDS):
        out = folds[cases.groups] == fold
        trees = Trees(fit_trees(_part(cases, ~out), options))
        judged[out] = trees.correct(cases.features[out], cases.start[out])
    energies = -np.nan_to_num(cases.features[:, 0].astype(np.float64), nan=np.inf)
    return {
        "n": len(np.unique(cases.groups)),
        "found": len(np.unique(cases.groups[cases.weights > 0])) / len(np.unique(cases.groups)),
        "first_by_ranking": _first(cases, cases.start),
        "first_by_energy": _first(cases, energies),
        "first_by_judge": _first(cases, judged),
    }


def _part(cases: Cases, mask: NDArray[np.bool_]) -> Cases:
    return Cases(cases.features[mask], cases.start[mask], cases.weights[mask], cases.groups[mask])


def _first(cases: Cases, scores: NDArray[np.float64]) -> float:
    """Share of the cases whose candidate with the highest score is right."""
    order = np.lexsort((np.arange(len(scores)), -scores, cases.groups))
    first = order[np.r_[True, np.diff(cases.groups[order]) != 0]]
    return float((cases.weights[first] > 0).mean())
