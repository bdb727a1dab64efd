"""How good maps of unseen formulas are: ``screening evaluate alphacrystal``.

Each figure stands beside those of the trivial predictors: the mean of each pair of elements, and
the likeliest template of the bank as it is. The papers' own numbers were measured on other, random
splits of other data: they are context, not a comparison.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, field_validator

from screening.checkpoints.io import file_sha256
from screening.engines import make_engine
from screening.errors import InputError
from screening.evaluation.alphacrystal.held_out import choose_measured
from screening.evaluation.alphacrystal.paper_tables import figure_3, table_1, table_2, table_5
from screening.evaluation.alphacrystal.recovery import (
    LIKE_TABLE_2,
    SEARCH,
    choose,
    measure_recovery,
    plotted_maps,
)
from screening.prototypes.bank import Bank
from screening.structure.alphacrystal.algorithms import ALGORITHMS
from screening.structure.alphacrystal.data import prepare
from screening.structure.alphacrystal.model import MapModel
from screening.structure.alphacrystal.options import SUBSETS, subset_mask
from screening.structure.alphacrystal.scores import measure_each, predict_all
from screening.training.request import parse_options, plain_metrics

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd
    from numpy.typing import NDArray

    from screening.structure.alphacrystal.model import Maps
    from screening.structure.alphacrystal.search import Search
    from screening.training.request import EvaluateRequest


HINTS = ("pair_table", "composition", "model")
"""Predictions whose distances choose among crystals with the same contacts."""
_LARGE = 12
"""Atoms of the papers' largest cells."""


class MapEvaluation(BaseModel):
    """Options of ``screening evaluate alphacrystal``."""

    model_config = ConfigDict(extra="forbid")

    bank: str = Field("prototypes", description="Bank of the templates, less what is measured")
    metals: bool = Field(False, description="Keep crystals of metals only")
    max_atoms: int = Field(12, ge=2, le=24, description="Most atoms in the cell")
    rebuilt: int = Field(
        LIKE_TABLE_2, ge=0, description="Crystals that are rebuilt from their true maps"
    )
    algorithms: tuple[str, ...] = Field(
        (SEARCH.algorithm,), description=f"Which of {','.join(ALGORITHMS)} rebuild them"
    )
    evaluations: int = Field(
        SEARCH.evaluations, ge=100, description="Most evaluations for each choice of positions"
    )
    engine: str = Field(
        "chgnet", description="Potential that chooses among crystals with the true contacts; none"
    )
    hints: tuple[str, ...] = Field(
        HINTS, description=f"Which of {','.join(HINTS)} also help to rebuild; none for none"
    )

    @field_validator("algorithms", "hints", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        """Take ``ga,de`` from the command line."""
        if value == "none":
            return ()
        return value.split(",") if isinstance(value, str) else value

    @field_validator("hints")
    @classmethod
    def _predictions(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not set(value) <= set(HINTS):
            raise ValueError(f"use some of {list(HINTS)}, or none")
        return value

    @field_validator("algorithms")
    @classmethod
    def _known(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value or not set(value) <= set(ALGORITHMS):
            raise ValueError(f"use some of {sorted(ALGORITHMS)}")
        return value

    def searches(self) -> list[Search]:
        """Give the searches that are compared, all with as many evaluations."""
        return [
            replace(
                SEARCH,
                algorithm=name,  # type: ignore[arg-type]
                evaluations=self.evaluations,
                size=100 if name == "ga" else SEARCH.size,
            )
            for name in self.algorithms
        ]


def evaluate_maps(request: EvaluateRequest) -> dict[str, Any]:
    """Score maps of the formulas that the model was not trained on.

    ``composition`` knows the composition only; ``model`` has templates too. See
    `screening.structure.alphacrystal.scores.figures` for the names. Parts: ``binary``, ``ternary``,
    ``more`` (elements), ``cubic`` and ``large`` (cells of more than 12 atoms). ``figure_3``,
    ``table_1``, ``table_2`` (AlphaCrystal) and ``table_5`` (AlphaCrystal-II) stand beside the
    papers' numbers; ``rebuilt`` is `measure_recovery` for each algorithm; ``rows`` has every
    measured crystal.

    Raises
    ------
    InputError
        If the options cannot be used, or nothing is left to measure.
    """
    options = parse_options(MapEvaluation, request.options)
    model = MapModel.load(request.checkpoint or "maps")
    chosen = choose_measured(
        request.data,
        [model.seen_formulas],
        max_atoms=options.max_atoms,
        metals=options.metals,
        sample=request.sample,
        seed=request.seed,
    )
    bank = Bank.load(options.bank).without(chosen.fresh)
    known = prepare(chosen.seen, None, options.max_atoms)
    measured = prepare(chosen.test, bank, options.max_atoms)
    predictions = predict_all(model, known, measured)
    parts = _parts(chosen.test)
    result, each = measure_each(predictions, measured, request.seed, parts)
    rows = _rows(chosen.test, each)
    names = list(predictions)
    subsets = {name: mask for name, mask in parts.items() if name in SUBSETS}
    result |= {
        "figure_3": figure_3(rows, names),
        "table_1": table_1(rows, names),
        "table_5": table_5(result, subsets, names),
    }
    if not len(known):
        result |= _without_baseline(result)
    if options.rebuilt:
        result |= _rebuild(chosen.test, predictions, options, request.seed)
    if request.plots:
        result["plots"] = {"contact_maps": plotted_maps(chosen.test, predictions, request.seed)}
    result |= {
        "rows": rows,
        "heads": model.heads,
        "data_sha256": file_sha256(request.data),
        "checkpoint": model.ref.model_dump(),
        "seed": request.seed,
    }
    plain: dict[str, Any] = plain_metrics(result)
    return plain


def _without_baseline(result: Mapping[str, Any]) -> dict[str, Any]:
    """Leave the figures of the pair table out where it knows no crystal, and say why."""
    reason = "the data hold no crystal of the training: the means of pairs of elements need some"
    missing = {name: None for name in result if name.endswith("pair_table")}
    return {**missing, "pair_table_missing": reason}


def _rebuild(
    table: pd.DataFrame, predictions: Mapping[str, Maps], options: MapEvaluation, seed: int
) -> dict[str, Any]:
    """Rebuild crystals from true maps, with each algorithm."""
    subjects = choose(table, options.rebuilt, seed)
    if not subjects:
        raise InputError("no crystal with 3 atoms is measured: rebuild none (rebuilt=0)")
    hints = {name: predictions[name] for name in options.hints if name in predictions}
    engine = None if options.engine == "none" else make_engine(options.engine)
    rebuilt: dict[str, dict[str, Any]] = {
        search.algorithm: measure_recovery(subjects, hints, search, seed, engine)
        for search in options.searches()
    }
    first = rebuilt[options.algorithms[0]]
    return {"rebuilt": rebuilt, "table_2": table_2(first, LIKE_TABLE_2)}


def _rows(table: pd.DataFrame, each: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Scores of every measured crystal."""
    columns = zip(
        table["material_id"], table["formula"], table["n_sites"], table["spacegroup_number"],
        strict=True,
    )  # fmt: skip
    return [
        {
            "material_id": str(name),
            "formula": formula,
            "atoms": int(n),
            "space_group": int(group),
            **scores,
        }
        for (name, formula, n, group), scores in zip(columns, each, strict=True)
    ]


def _parts(table: pd.DataFrame) -> dict[str, NDArray[np.bool_]]:
    """Parts of the measured crystals: those of AlphaCrystal-II's specialists, and the rest."""
    n_elements = np.array([len(np.unique(z)) for z in table["atomic_numbers"]])
    parts = {name: subset_mask(table, name) for name in SUBSETS}
    return parts | {"more": n_elements > 3, "large": table["n_sites"].to_numpy() > _LARGE}
