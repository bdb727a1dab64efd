"""Which function trains and which evaluates, by name; imported only when it is called."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from screening.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable

    from screening.checkpoints import Card
    from screening.training.request import EvaluateRequest, TrainRequest

TRAINERS = {
    "matgan": "screening.generation.matgan.train:train_matgan",
    "compositions": "screening.generation.autoregressive.train:train_compositions",
    "energy": "screening.energy.train:train_energy",
    "energy-scale": "screening.energy_scale.train:train_energy_scale",
    "symmetry": "screening.symmetry.train:train_symmetry",
    "prototypes": "screening.prototypes.train:train_bank",
    "ranker": "screening.prototypes.train_ranker:train_ranker",
    "references": "screening.references.train:train_references",
    "site-likelihood": "screening.site_likelihood.train:train_sites",
    "contact-map": "screening.structure.alphacrystal.train:train_contact_map",
    "distance-matrix": "screening.structure.alphacrystal.train:train_distance_matrix",
    "cond-cdvae": "screening.structure.cdvae.train:train_cdvae",
    "stability": "screening.evaluation.stability.train:train_stability",
    "stability-data": "screening.evaluation.stability.train_data:train_stability_data",
    "stability-judge": "screening.evaluation.stability.train_data:train_stability_judge",
    "pressure-data": "screening.pressure.data:train_pressure_data",
    "potential": "screening.tuning.train:train_potential",
    "transformer": "screening.structure.transformer.train:train_transformer",
}
"""Name of a checkpoint -> 'module:function' that takes a TrainRequest and returns a Card."""

EVALUATORS = {
    "cond-cdvae": "screening.evaluation.cdvae:evaluate_cdvae",
    "generation": "screening.generation.evaluate:evaluate_generation",
    "generators": "screening.evaluation.generators.evaluate:evaluate_generators",
    "energy": "screening.energy.evaluate:evaluate_energy",
    "references": "screening.references.evaluate:evaluate_references",
    "symmetry": "screening.symmetry.evaluate:evaluate_symmetry",
    "structures": "screening.evaluation.prototypes:evaluate_structures",
    "stability": "screening.evaluation.stability.evaluate:evaluate_stability",
    "site-likelihood": "screening.evaluation.site_likelihood:evaluate_sites",
    "alphacrystal": "screening.evaluation.alphacrystal.evaluate:evaluate_maps",
    "potential": "screening.evaluation.potential.evaluate:evaluate_potential",
    "transformer": "screening.evaluation.transformer:evaluate_transformer",
}
"""What is measured -> 'module:function' that takes an EvaluateRequest and returns the metrics."""


MEASURED = {
    "alphacrystal": "maps",
    "generation": "compositions",
    "generators": "prototypes",
    "energy": "energy",
    "symmetry": "symmetry",
    "site-likelihood": "site-likelihood",
}
"""What is measured and has figures -> the bundled checkpoint that is meant if none is named."""


def _resolve(table: dict[str, str], name: str, verb: str) -> Callable[..., Any]:
    if name not in table:
        raise InputError(f"cannot {verb} {name!r}: use one of {sorted(table)}")
    module, function = table[name].split(":")
    found: Callable[..., Any] = getattr(import_module(module), function)
    return found


def train(name: str, request: TrainRequest) -> Card:
    """Train the model called `name` and save its checkpoint."""
    card: Card = _resolve(TRAINERS, name, "train")(request)
    return card


def evaluate(name: str, request: EvaluateRequest) -> dict[str, Any]:
    """Measure `name`; the result is plain JSON with ``n``, ``data_sha256`` and ``checkpoint``."""
    metrics: dict[str, Any] = _resolve(EVALUATORS, name, "evaluate")(request)
    return metrics


def checkpoint_name(name: str, options: dict[str, str]) -> str:
    """Name of the checkpoint that ``train(name)`` writes by default: of a scale, its engine's."""
    if name != "energy-scale":
        return name
    from screening.energy_scale.model import PREFIX
    from screening.engines import engine_id

    return PREFIX + engine_id(options.get("engine", "chgnet"))
