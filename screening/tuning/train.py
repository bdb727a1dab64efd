"""``screening train potential``: tune a published potential towards a database's energies."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from screening.checkpoints import Card, save_checkpoint
from screening.composition import CompositionArray
from screening.energy_scale.fit import fit_terms
from screening.energy_scale.labelled import potential_energies, read_labelled, row_crystals
from screening.energy_scale.terms import term_matrix
from screening.engines.nequix import NequixEngine
from screening.engines.nequix_file import read_nqx
from screening.engines.potentials import installed_file, potential
from screening.errors import InputError
from screening.metrics.intervals import bootstrap_interval
from screening.progress import report
from screening.training.data import fingerprints, held_out
from screening.training.environment import device_name, package_versions
from screening.training.loop import LoopOptions, fit
from screening.training.request import parse_options, plain_metrics
from screening.training.state import clear_states, state_folder
from screening.tuning.frames import Frames, hypothetical, labelled_by
from screening.tuning.loss import TunedNetwork, tuning_loss

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd
    import torch

    from screening.engines.base import Crystal
    from screening.training.loop import FitResult
    from screening.training.request import TrainRequest

Floats = NDArray[np.float64]

VERSION = "1"
REFERENCES = ["arXiv:2508.16067", "arXiv:2601.07742", "10.1038/s41524-024-01500-6"]
STAGE = "potential"
BATCH = 32
TERM_PRIOR = 10.0
"""Standard deviation of a term before there are data (eV/atom): they hold the atoms' energies."""


class PotentialOptions(BaseModel):
    """What is tuned, and how."""

    model_config = ConfigDict(extra="forbid")

    start: str = Field("nequix-oam-1-pft", description="Potential whose weights are tuned")
    sample: int = Field(4000, ge=20, description="Largest number of labelled crystals")
    largest: int = Field(10, ge=1, description="Largest number of atoms of a crystal in training")
    replay: int = Field(800, ge=0, description="Hypothetical crystals, held at the start")
    terms: int = Field(1000, ge=20, description="Crystals that the terms are fitted to")
    test: int = Field(240, ge=2, description="Crystals of each kind that are measured")
    test_fraction: float = Field(0.1, gt=0, lt=0.9, description="Share of formulas held out")
    epochs: int = Field(1, ge=1, description="Passes over the crystals")
    batch_size: int = Field(16, ge=1, description="Crystals in a step")
    learning_rate: float = Field(1e-4, gt=0, description="Peak of the cosine schedule")
    ema: float = Field(0.99, ge=0, lt=1, description="Decay of the average of the weights")
    force_weight: float = Field(1.0, ge=0, description="Weight of forces in the loss")


@dataclass(frozen=True)
class TuningData:
    """Frames to train on, and what is measured.

    Attributes
    ----------
    train
        Labelled crystals, then hypothetical ones with the start's energies and forces.
    known
        Labelled crystals of held-out formulas.
    unknown
        Hypothetical crystals of held-out formulas, with the start's energies and forces.
    formulas
        Canonical formulas of the labelled crystals in `train`.
    terms
        Difference of start and database by `term_matrix` (eV/atom).
    """

    train: Frames
    known: Frames
    unknown: Frames
    formulas: list[str]
    terms: Floats


def train_potential(request: TrainRequest) -> Card:
    """Tune a potential, measure it beside its origin on held-out formulas, and save it.

    The tuned energies keep the zero of the origin: an energy scale fitted to them turns them into
    formation energies. What was finished is kept: ``--resume`` goes on where it was stopped.

    Raises
    ------
    InputError
        If the data or the options cannot be used.
    EngineError
        If the weights of the start are not here.
    """
    options = parse_options(PotentialOptions, request.options)
    if len(request.data) != 1:
        raise InputError(f"a potential is tuned on one file, not on {len(request.data)}")
    started = time.perf_counter()
    state = state_folder(request)
    path = installed_file(options.start)
    config, arrays = read_nqx(path)
    origin = NequixEngine(options.start, config, arrays)
    data = _collect(request, options, origin, state)
    model = TunedNetwork(config, arrays)
    result = _fit(model, data, options, request, state)
    tuned = model.arrays()
    after = NequixEngine("tuned", config, tuned)
    metrics = measure(origin, after, data, request.seed)
    card = Card(
        name=request.out.name,
        version=VERSION,
        model="screening.engines.nequix:NequixEngine",
        description=f"{options.start}, tuned towards the energies of {request.data[0].name}",
        arguments={"config": asdict(config), "origin": options.start},
        hyperparameters=options.model_dump() | {"steps": result.epochs * _steps(data, options)},
        data=[
            request.source(request.data[0], len(data.formulas)),
            _origin_source(path, options.start),
        ],
        split={
            "by": "reduced formula",
            "test_fraction": options.test_fraction,
            "seed": request.seed,
            "n_train": len(data.formulas),
            "n_replay": len(data.train) - len(data.formulas),
            "n_test": len(data.known),
        },
        metrics=plain_metrics(metrics),
        seed=request.seed,
        wall_time=time.perf_counter() - started,
        device=device_name(request.device),
        packages=package_versions("numpy", "torch"),
        references=REFERENCES,
    )
    tensors: dict[str, NDArray[Any]] = {**tuned, "seen_formulas": fingerprints(data.formulas)}
    card = save_checkpoint(request.out, tensors, card)
    clear_states(request)
    return card


def _origin_source(path: Path, name: str) -> Any:
    """Name the weights that training started from, with their licence, as data of the card."""
    from screening.checkpoints import DataSource
    from screening.engines.potentials import file_hash

    entry = potential(name)
    return DataSource(
        name=path.name,
        sha256=file_hash(path),
        rows=1,
        origin=f"weights that training started from: {entry.url} ({', '.join(entry.references)})",
        licence=entry.licence,
    )


def _steps(data: TuningData, options: PotentialOptions) -> int:
    """Count the steps of an epoch."""
    return max(1, len(data.train) // min(options.batch_size, len(data.train)))


def _fit(
    model: TunedNetwork,
    data: TuningData,
    options: PotentialOptions,
    request: TrainRequest,
    state: Path,
) -> FitResult:
    loop = LoopOptions(
        epochs=options.epochs,
        batch_size=options.batch_size,
        learning_rate=options.learning_rate,
        weight_decay=0.0,
        schedule="cosine",
        warmup=0.05,
        ema=options.ema or None,
        state_every=30.0,
    )

    def loss(network: torch.nn.Module, rows: torch.Tensor) -> torch.Tensor:
        if not isinstance(network, TunedNetwork):
            raise TypeError(type(network))
        return tuning_loss(network, data.train, rows.numpy(), options.force_weight)

    return fit(
        model,
        loss,
        len(data.train),
        loop,
        seed=request.seed,
        state=state / "training.safetensors",
        key=str(options.model_dump()),
        label=STAGE,
    )


def _collect(
    request: TrainRequest, options: PotentialOptions, origin: NequixEngine, state: Path
) -> TuningData:
    """Split the crystals by formula, fit the terms, and make the hypothetical crystals."""
    rng = np.random.default_rng(request.seed)
    table = read_labelled(request.data[0], None, request.seed)
    test = held_out(table["formula"].tolist(), fraction=options.test_fraction, seed=request.seed)
    train = _usable(table[~test], options.sample, options.largest, origin, rng)
    known = _usable(table[test], options.test, 10**6, origin, rng)
    crystals = row_crystals(train)
    evaluable = [origin.can_evaluate(crystal) for crystal in crystals]
    train = train[np.array(evaluable)]
    crystals = [crystal for crystal, good in zip(crystals, evaluable, strict=True) if good]
    rows = np.arange(len(crystals))[: options.terms]
    energies = potential_energies([crystals[k] for k in rows], origin, relax=False, state=state)
    labels = train["formation_energy_per_atom"].to_numpy(dtype=np.float64)
    matrix = _terms(train)
    terms, _ = fit_terms(matrix[rows], energies - labels[rows], prior=TERM_PRIOR)
    frames = Frames(crystals, labels + matrix @ terms, [None] * len(crystals))
    truth = known["formation_energy_per_atom"].to_numpy(dtype=np.float64) + _terms(known) @ terms
    measured = row_crystals(known)
    small = [crystal for crystal in measured if len(crystal) <= 2 * options.largest]
    return TuningData(
        train=frames + _replay(origin, crystals, options.replay, rng),
        known=Frames(measured, truth, [None] * len(measured)),
        unknown=_replay(origin, small, options.test, rng),
        formulas=train["formula"].tolist(),
        terms=terms,
    )


def _terms(table: pd.DataFrame) -> Floats:
    return term_matrix(CompositionArray.from_formulas(table["formula"].tolist()))


def _usable(
    table: pd.DataFrame, n: int, largest: int, origin: NequixEngine, rng: np.random.Generator
) -> pd.DataFrame:
    """Draw crystals that the network knows the elements of and that are not too large."""
    allowed = set(origin.config.numbers)
    fits = [
        len(numbers) <= largest and set(np.asarray(numbers).tolist()) <= allowed
        for numbers in table["atomic_numbers"]
    ]
    table = table[np.array(fits, dtype=bool)]
    if table.empty:
        raise InputError(f"no crystal of at most {largest} atoms of elements that it knows")
    return table.iloc[rng.permutation(len(table))[:n]]


def _replay(
    origin: NequixEngine, crystals: list[Crystal], n: int, rng: np.random.Generator
) -> Frames:
    """Hypothetical crystals with the energies and forces of the start."""
    made = hypothetical(crystals, frozenset(origin.config.numbers), n, rng)
    frames = Frames([], np.zeros(0), [])
    for start in range(0, len(made), BATCH):
        frames = frames + labelled_by(origin, made[start : start + BATCH])
        report(f"{STAGE} data", min(start + BATCH, len(made)), len(made))
    return frames


def measure(
    origin: NequixEngine, tuned: NequixEngine, data: TuningData, seed: int
) -> dict[str, Any]:
    """Compare a tuned potential with its origin on held-out formulas.

    Returns
    -------
    ``known``: mean absolute error of formation energies of both (eV/atom) with the same terms, and
    the gain with its 90 % interval from a paired bootstrap; ``unknown``: change of energies and
    forces of hypothetical crystals.
    """
    errors = {
        name: _energies(engine, data.known.crystals) - data.known.energies
        for name, engine in (("origin", origin), ("tuned", tuned))
    }
    both = np.isfinite(errors["origin"]) & np.isfinite(errors["tuned"])
    sizes = {name: np.abs(values[both]) for name, values in errors.items()}
    gain = sizes["origin"] - sizes["tuned"]
    results = tuned.evaluate(data.unknown.crystals)
    change = np.array([r.energy / len(r.forces) for r in results]) - data.unknown.energies
    turn = [
        np.abs(result.forces - forces).mean()
        for result, forces in zip(results, data.unknown.forces, strict=True)
    ]
    return {
        "known": {
            "n": int(both.sum()),
            "origin_mae": sizes["origin"].mean(),
            "mae": sizes["tuned"].mean(),
            "bias": errors["tuned"][both].mean(),
            "gain": gain.mean(),
            "gain_interval": bootstrap_interval(gain, seed=seed),
        },
        "hypothetical": {
            "n": len(change),
            "change_mae": np.abs(change).mean(),
            "change_bias": change.mean(),
            "force_change_mae": float(np.mean(turn)),
        },
    }


def _energies(engine: NequixEngine, crystals: list[Crystal]) -> Floats:
    """Energies (eV/atom); NaN where there is none."""
    results = engine.evaluate(crystals)
    return np.array([result.energy / len(result.forces) for result in results])
