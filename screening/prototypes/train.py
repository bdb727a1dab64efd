"""Training of the prototype bank: build it, let it learn from itself, write the checkpoint."""

from __future__ import annotations

import time
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, Field
from safetensors.numpy import load_file, save_file

from screening.checkpoints import Card
from screening.crystal.isopointal import Tolerance
from screening.errors import InputError
from screening.prototypes.bank import Bank
from screening.prototypes.bank_file import BANK_CLASS, write_bank
from screening.prototypes.train_substitution import Fit, FitOptions, measure
from screening.training.data import STRUCTURE_COLUMNS, held_out, read_table
from screening.training.request import parse_options, plain_metrics

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from screening.training.request import TrainRequest

STATE = "state.safetensors"
REFERENCES = [
    "10.1016/j.commatsci.2022.111496",
    "10.1021/acs.inorgchem.1c03879",
    "10.1107/S0108767384000416",
    "10.46793/match.87-3.529W",
]
PACKAGES = ("numpy", "pyxtal", "spglib", "torch")


class BankOptions(BaseModel):
    """Options of ``screening train prototypes --set NAME=VALUE``."""

    model_config = ConfigDict(extra="forbid")

    epochs: int = Field(8, ge=0, description="Passes of the substitution model over the bank")
    rate: float = Field(0.05, gt=0, description="Learning rate at the start")
    penalty: float = Field(1e-3, ge=0, description="Weight of the distance from the start")
    length: float = Field(0.05, gt=0, description="Tolerance of ln(cell length) in a prototype")
    angle: float = Field(3.0, gt=0, description="Tolerance of cell angles (degrees)")
    displacement: float = Field(0.1, gt=0, description="Tolerance of atoms, (volume/atom)^(1/3)")
    measured: float = Field(0.1, gt=0, lt=1, description="Share of formulas held out of the fit")

    def tolerance(self) -> Tolerance:
        """Tolerances of one prototype."""
        return Tolerance(self.length, self.angle, self.displacement)

    def fit(self, seed: int) -> FitOptions:
        """Hyperparameters of the substitution model."""
        return FitOptions(epochs=self.epochs, rate=self.rate, penalty=self.penalty, seed=seed)


def learn(
    bank: Bank,
    options: BankOptions,
    seed: int,
    state: dict[str, NDArray[Any]] | None = None,
    after_epoch: Callable[[Fit], None] = lambda _: None,
) -> tuple[Bank, dict[str, float]]:
    """Fit the substitution model of a bank.

    A share of the formulas is never a target of the fit; on it, leaving out each formula in turn,
    the fit is measured.

    Returns
    -------
    The bank with its model, and how often the right prototype and arrangement came first and among
    the first five, of those that the bank has at all.
    """
    measured = held_out(bank.formulas, fraction=options.measured, seed=seed)
    fit = Fit(bank, ~measured, options.fit(seed))
    if state:
        fit.restore(state)
    model = fit.run(after_epoch)
    return bank.with_model(model), measure(model, bank, measured)


def train_bank(request: TrainRequest) -> Card:
    """Build a bank from structure tables and write its checkpoint.

    The state (the arrays, then the fit after each epoch) is kept in the output folder until the
    checkpoint is written, for `resume`.

    Raises
    ------
    InputError
        If there are no data or an option is wrong.
    """
    options = parse_options(BankOptions, request.options)
    if not request.data:
        raise InputError("no data: give at least one parquet file with structures")
    start = time.monotonic()
    request.out.mkdir(parents=True, exist_ok=True)
    path = request.out / STATE
    state = load_file(path) if request.resume and path.is_file() else {}
    tables = [read_table(file, STRUCTURE_COLUMNS) for file in request.data]
    arrays = {k.removeprefix("bank_"): v for k, v in state.items() if k.startswith("bank_")}
    bank = Bank(**arrays) if arrays else _build(tables, options)
    _keep(path, bank, {})
    fitted = {k.removeprefix("fit_"): v for k, v in state.items() if k.startswith("fit_")}
    learned, metrics = learn(
        bank, options, request.seed, fitted, lambda fit: _keep(path, bank, fit.state())
    )
    rows = [len(table) for table in tables]
    card = Card(
        name=request.out.name,
        version="1",
        model=BANK_CLASS,
        description="Crystal prototypes, the elements known on them, and which replace each other.",
        arguments={},
        hyperparameters=options.model_dump(),
        data=[request.source(file, n) for file, n in zip(request.data, rows, strict=True)],
        split={"held_out": options.measured, "by": "formula", "part": "targets of the fit"},
        metrics=plain_metrics(
            {**metrics, "prototypes": bank.n_prototypes, "decorations": len(bank)}
        ),
        seed=request.seed,
        wall_time=time.monotonic() - start,
        device="cpu",
        packages={name: version(name) for name in PACKAGES},
        references=REFERENCES,
    )
    written = write_bank(learned, request.out, card)
    path.unlink(missing_ok=True)
    return written


def _build(tables: list[Any], options: BankOptions) -> Bank:
    return Bank.from_table(pd.concat(tables, ignore_index=True), tolerance=options.tolerance())


def _keep(path: Path, bank: Bank, fit: dict[str, NDArray[Any]]) -> None:
    """Write the state by an atomic replacement."""
    tensors = {f"bank_{name}": value for name, value in bank.arrays().items()}
    tensors |= {f"fit_{name}": value for name, value in fit.items()}
    partial = path.with_suffix(".partial")
    save_file({name: np.ascontiguousarray(value) for name, value in tensors.items()}, partial)
    partial.replace(path)
