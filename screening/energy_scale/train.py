"""``screening train energy-scale``: fit the scale of a potential to labelled crystals."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from screening.checkpoints import Card, save_checkpoint
from screening.composition import CompositionArray
from screening.energy_scale.classes import CLASSES, composition_classes
from screening.energy_scale.fit import fit_scale, polymorph_ends
from screening.energy_scale.labelled import (
    elemental_energies,
    potential_energies,
    read_labelled,
    row_crystals,
)
from screening.energy_scale.model import EnergyScale
from screening.energy_scale.terms import element_fractions, term_names
from screening.engines import engine_id, make_engine
from screening.errors import InputError
from screening.metrics.intervals import bootstrap_interval
from screening.schemas import CheckpointRef
from screening.training.data import fingerprints, held_out
from screening.training.environment import device_name, package_versions
from screening.training.request import parse_options, plain_metrics
from screening.training.state import clear_states, state_folder

if TYPE_CHECKING:
    from screening.training.request import TrainRequest

Floats = NDArray[np.float64]

VERSION = "1"
REFERENCES = [
    "10.1103/PhysRevB.84.045115",
    "10.1038/s41598-021-94550-5",
    "10.1080/01621459.2017.1307116",
]


class EnergyScaleOptions(BaseModel):
    """Hyperparameters of the fit."""

    model_config = ConfigDict(extra="forbid")

    engine: str = Field("chgnet", description="Engine whose energies are put on the scale")
    scale: str = Field("MP2020", description="Name of the scale of the file's formation energies")
    sample: int | None = Field(None, ge=200, description="Largest number of crystals")
    relaxed: int = Field(
        1000, ge=0, description="Crystals that are also relaxed, for the energy that this gives"
    )
    test_fraction: float = Field(0.1, gt=0, lt=0.9, description="Share of formulas held out")


@dataclass(frozen=True)
class Labelled:
    """Labelled crystals with their energies.

    Attributes
    ----------
    formulas
        Canonical formulas of n crystals.
    truth
        Formation energies of the scale (eV/atom), ``(n,)``.
    energies
        The potential's energies of the crystals as they are (eV/atom), ``(n,)``.
    relaxed
        Those of the relaxed crystals, NaN where that was not done, ``(n,)``.
    elements
        Those of the elemental references by atomic number.
    """

    formulas: list[str]
    truth: Floats
    energies: Floats
    relaxed: Floats
    elements: Floats

    @property
    def compositions(self) -> CompositionArray:
        """Pack the formulas."""
        return CompositionArray.from_formulas(self.formulas)


def train_energy_scale(request: TrainRequest) -> Card:
    """Fit the scale of one engine, measure it on held-out formulas and save the checkpoint.

    Energies are kept until the checkpoint is written: ``--resume`` goes on where it was stopped.

    Raises
    ------
    InputError
        If the data or the options cannot be used.
    EngineError
        If the engine cannot be made.
    """
    options = parse_options(EnergyScaleOptions, request.options)
    if len(request.data) != 1:
        raise InputError(f"an energy scale is fitted to one file, not to {len(request.data)}")
    started = time.perf_counter()
    name = engine_id(options.engine)
    labelled = _collect(request, options)
    test = held_out(labelled.formulas, fraction=options.test_fraction, seed=request.seed)
    arguments = {"engine": name, "scale": options.scale}
    tensors = _fit(labelled, ~test, request.seed)
    tensors["seen_formulas"] = fingerprints(
        [f for f, held in zip(labelled.formulas, test, strict=True) if not held]
    )
    draft = CheckpointRef(name=request.out.name, version=VERSION, sha256="")
    model = EnergyScale(arguments, tensors, draft)
    card = Card(
        name=request.out.name,
        version=VERSION,
        model="screening.energy_scale.model:EnergyScale",
        description=f"Formation energies on the scale {options.scale} from energies of {name}",
        arguments=arguments,
        hyperparameters=options.model_dump(),
        data=[request.source(request.data[0], len(labelled.formulas))],
        split={
            "by": "reduced formula",
            "test_fraction": options.test_fraction,
            "seed": request.seed,
            "n_train": int((~test).sum()),
            "n_test": int(test.sum()),
        },
        metrics=plain_metrics(_measure(model, labelled, test, request.seed)),
        plots={"terms": _terms(model)},
        seed=request.seed,
        wall_time=time.perf_counter() - started,
        device=device_name(request.device),
        packages=package_versions("numpy", "torch"),
        references=REFERENCES,
    )
    card = save_checkpoint(request.out, tensors, card)
    clear_states(request)
    return card


def _collect(request: TrainRequest, options: EnergyScaleOptions) -> Labelled:
    """Read the crystals and compute their energies; those without any are left out."""
    table = read_labelled(request.data[0], options.sample, request.seed)
    engine = make_engine(options.engine, request.device)
    state = state_folder(request)
    crystals = row_crystals(table)
    energies = potential_energies(crystals, engine, relax=False, state=state)
    relaxed = np.full(len(crystals), np.nan)
    order = np.random.default_rng(request.seed).permutation(len(crystals))[: options.relaxed]
    relaxed[order] = potential_energies(
        [crystals[k] for k in order], engine, relax=True, state=state
    )
    usable = np.isfinite(energies)
    if not usable.any():
        raise InputError(f"engine {options.engine!r} has no energy of any crystal of the file")
    return Labelled(
        formulas=table["formula"].to_numpy()[usable].tolist(),
        truth=table["formation_energy_per_atom"].to_numpy(dtype=np.float64)[usable],
        energies=energies[usable],
        relaxed=relaxed[usable],
        elements=elemental_energies(engine, state),
    )


def _fit(labelled: Labelled, train: NDArray[np.bool_], seed: int) -> dict[str, NDArray[Any]]:
    """Fit the scale to the rows `train`."""
    change = (labelled.relaxed - labelled.energies)[train]
    relaxed = np.isfinite(change)
    formulas = [f for f, used in zip(labelled.formulas, train, strict=True) if used]
    tensors = fit_scale(
        labelled.compositions[train],
        formulas,
        (labelled.energies - labelled.truth)[train],
        labelled.elements,
        relaxation=float(change[relaxed].mean()) if relaxed.any() else 0.0,
        seed=seed,
    )
    ends = polymorph_ends(formulas, labelled.truth[train], labelled.energies[train])
    return tensors | {"polymorphs": ends}


def _measure(
    model: EnergyScale, labelled: Labelled, test: NDArray[np.bool_], seed: int
) -> dict[str, Any]:
    """Errors on held-out compounds before and after the fit, and coverage of the intervals.

    ``relaxed`` are compounds relaxed by the potential, as in campaigns; ``all`` has the others
    unrelaxed.
    """
    done = np.isfinite(labelled.relaxed)
    energies = np.where(done, labelled.relaxed, labelled.energies)
    compounds = test & (labelled.compositions.n_elements() > 1)
    selections = {"all": compounds, "relaxed": compounds & done}
    return {
        name: _errors(model, labelled, rows, energies, seed)
        for name, rows in selections.items()
        if rows.any()
    } | {"classes": _by_class(model, labelled, compounds, energies)}


def _errors(
    model: EnergyScale, labelled: Labelled, rows: NDArray[np.bool_], energies: Floats, seed: int
) -> dict[str, Any]:
    """Errors of some rows (eV/atom); ``raw`` is against the potential's elemental references."""
    compositions, truth = labelled.compositions[rows], labelled.truth[rows]
    elemental = element_fractions(compositions) @ np.nan_to_num(model.elements)
    raw = energies[rows] - elemental - truth
    scaled = model.formation_energies(compositions, energies[rows])
    errors = scaled.values - truth
    inside = (scaled.lower <= truth) & (truth <= scaled.upper)
    return {
        "n": len(truth),
        "raw_mae": float(np.abs(raw).mean()),
        "raw_bias": float(raw.mean()),
        "mae": float(np.abs(errors).mean()),
        "mae_interval": bootstrap_interval(np.abs(errors), seed=seed),
        "bias": float(errors.mean()),
        "median": float(np.median(np.abs(errors))),
        "coverage": float(inside.mean()),
        "width": float(np.mean(scaled.upper - scaled.lower)),
    }


def _by_class(
    model: EnergyScale, labelled: Labelled, rows: NDArray[np.bool_], energies: Floats
) -> dict[str, dict[str, float]]:
    """Errors and coverage by class of compositions (eV/atom)."""
    classes = composition_classes(labelled.compositions)
    named = ("n", "mae", "coverage", "width")
    result = {}
    for k, name in enumerate(CLASSES):
        if (members := rows & (classes == k)).any():
            errors = _errors(model, labelled, members, energies, 0)
            result[name] = {key: errors[key] for key in named}
    return result


def _terms(model: EnergyScale) -> list[dict[str, Any]]:
    """Terms with their standard errors (eV/atom of the element, anion or metal) and crystals."""
    counts = model.counts.tolist()[1:]
    seen = [*counts, *[None] * (len(model.terms) - len(counts))]
    rows = zip(term_names(), model.terms.tolist(), model.term_errors().tolist(), seen, strict=True)
    return [
        {"term": name, "value": round(value, 5), "error": round(error, 5), "n": n}
        for name, value, error, n in rows
        if n != 0
    ]
