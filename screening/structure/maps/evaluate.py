"""How good maps of unseen formulas are: ``screening evaluate alphacrystal``.

Each figure stands beside those of the trivial predictors: the mean of each pair of elements, and
the likeliest template of the bank as it is. The papers' own numbers were measured on other, random
splits of other data: they are context, not a comparison.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from screening.checkpoints.io import file_sha256
from screening.errors import InputError
from screening.structure.bank import Bank
from screening.structure.maps.data import prepare, select_rows
from screening.structure.maps.model import MapModel
from screening.structure.maps.recovery import measure_recovery
from screening.structure.maps.scores import measure
from screening.training.data import STRUCTURE_COLUMNS, read_table, unseen
from screening.training.request import parse_options, plain_metrics

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from screening.training.request import EvaluateRequest

PAPER = {
    "contact_accuracy_padded": 0.927,
    "exact_maps": 0.406,
    "distance_rmse_20_bins": 0.9239,
    "distance_mse_20_bins": 1.5591,
    "distance_rmse_10_bins": 1.0984,
    "distance_rmse_5_bins": 1.2269,
    "distance_rmse_10_bins_cubic": 0.7394,
    "distance_rmse_10_bins_binary": 1.3109,
    "distance_rmse_10_bins_ternary": 1.2779,
    "overlap_20_bins": 0.9992,
}
"""What the papers print (AlphaCrystal, Figure 3 and text; AlphaCrystal-II, Table 5)."""
CUBIC = 195


class MapEvaluation(BaseModel):
    """Options of ``screening evaluate alphacrystal``."""

    model_config = ConfigDict(extra="forbid")

    bank: str = Field("prototypes", description="Bank of the templates, less what is measured")
    metals: bool = Field(False, description="Keep crystals of metals only")
    max_atoms: int = Field(12, ge=2, le=24, description="Most atoms in the cell")
    rebuilt: int = Field(0, ge=0, description="Crystals that are rebuilt from their true maps")


def evaluate_maps(request: EvaluateRequest) -> dict[str, Any]:
    """Score maps of the formulas that the model was not trained on.

    ``composition`` knows the composition only; ``model`` has templates too. See
    `screening.structure.maps.scores.figures` for the names, and `measure_recovery` for ``rebuilt``.
    Parts: ``binary``, ``ternary``, ``more`` (elements) and ``cubic``.

    Raises
    ------
    InputError
        If the options cannot be used, or nothing is left to measure.
    """
    options = parse_options(MapEvaluation, request.options)
    model = MapModel.load(request.checkpoint or "maps")
    table = read_table(request.data, STRUCTURE_COLUMNS)
    table = select_rows(table, options.max_atoms, metals=options.metals)
    fresh = unseen(table["formula"].tolist(), model.seen_formulas)
    test = table[fresh]
    if request.sample is not None and request.sample < len(test):
        test = test.sample(request.sample, random_state=request.seed).sort_index()
    if not len(test):
        raise InputError(f"{request.data}: the model has seen every usable formula of it")
    bank = Bank.load(options.bank).without(table["formula"][fresh].tolist())
    known = prepare(table[~fresh], None, options.max_atoms)
    measured = prepare(test, bank, options.max_atoms)
    result = measure(model, known, measured, request.seed, _parts(test))
    if options.rebuilt:
        result["rebuilt"] = measure_recovery(test, options.rebuilt, request.seed)
    result |= {
        "paper": PAPER,
        "heads": model.heads,
        "data_sha256": file_sha256(request.data),
        "checkpoint": model.ref.model_dump(),
        "seed": request.seed,
    }
    plain: dict[str, Any] = plain_metrics(result)
    return plain


def _parts(table: pd.DataFrame) -> dict[str, NDArray[np.bool_]]:
    """Parts of the measured crystals that AlphaCrystal-II has specialists for."""
    n_elements = np.array([len(np.unique(z)) for z in table["atomic_numbers"]])
    return {
        "binary": n_elements == 2,
        "ternary": n_elements == 3,
        "more": n_elements > 3,
        "cubic": table["spacegroup_number"].to_numpy() >= CUBIC,
    }
