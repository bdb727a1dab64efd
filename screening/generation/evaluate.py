"""How good a generator's samples are, before any filter.

Validity is the share of all samples that decode to 2 to 8 elements and pass SMACT's rules with a
named table; the model is usually trained on formulas that passed the same rules, so that the number
says how well it has learnt them, not how good the rules are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from screening.checkpoints import load_checkpoint
from screening.checkpoints.io import file_sha256
from screening.errors import CheckpointError
from screening.generation.data import distinct_formulas
from screening.generation.reference import Options, Reference
from screening.generation.samplers import load_sampler
from screening.generation.tally import Tally
from screening.metrics.intervals import bootstrap_share
from screening.progress import report
from screening.training.data import fingerprints
from screening.training.request import parse_options, plain_metrics

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from screening.generation.chunks import CompositionSampler
    from screening.training.request import EvaluateRequest

BATCH = 100_000


def evaluate_generation(request: EvaluateRequest) -> dict[str, Any]:
    """Draw samples from a trained generator and compare them with the rules and the data.

    See `measure` for the metrics. ``request.sample`` limits the number of samples.

    Raises
    ------
    InputError
        If an option is unknown or the data cannot be read.
    CheckpointError
        If the checkpoint cannot be read or does not say what it was trained on.
    """
    options = parse_options(Options, request.options)
    if request.sample is not None:
        options = options.model_copy(update={"samples": min(options.samples, request.sample)})
    name = request.checkpoint or "compositions"
    checkpoint = load_checkpoint(name)
    if "seen_formulas" not in checkpoint.tensors:
        raise CheckpointError(f"checkpoint {name!r} has no seen_formulas: train it again")
    seen = checkpoint.tensors["seen_formulas"].astype(np.uint32)
    reference = Reference.create(distinct_formulas([request.data]), seen, options)
    sampler = load_sampler(name, options.temperature, options.amount_temperature)
    result = {
        "n": options.samples,
        "data_sha256": file_sha256(request.data),
        "checkpoint": checkpoint.card.ref().model_dump(),
        "seed": request.seed,
        **sampler.settings(),
        **measure(sampler, reference, options, seed=request.seed),
    }
    metrics: dict[str, Any] = plain_metrics(result)
    return metrics


def measure(
    sampler: CompositionSampler, reference: Reference, rules: Options, *, seed: int
) -> dict[str, Any]:
    """Draw ``rules.samples`` samples, `BATCH` at a time, and measure them.

    Returns
    -------
    Shares of all samples: `decodable`; `valid`; `unique`, the distinct formulas; and
    `valid_unique_novel`, the distinct valid formulas that were not trained on. Shares of the
    distinct valid formulas: `novel_training` and `novel_data`, not trained on and not in the data.
    `recovered`: share of the target formulas that were sampled. Total variation distances (0 to 1)
    between samples and target of the occurrence of elements, the amounts, and the number of
    elements. `reasons`: counts of the verdicts on decodable samples. `intervals`: 95 % bootstrap.
    `plots`: see `Tally.frequencies`.
    """
    tally, space = Tally(reference, rules), rules.space()
    for done in range(0, rules.samples, BATCH):
        n = min(BATCH, rules.samples - done)
        tally.add(sampler.sample(n, seed=seed + done // BATCH, space=space))
        report("evaluate generation", done + n, rules.samples)
    counts = {
        "decodable": (tally.n_decodable, rules.samples),
        "valid": (tally.n_valid, rules.samples),
        "unique": (tally.n_distinct, rules.samples),
        "valid_unique_novel": (tally.n_unseen, rules.samples),
        "novel_training": (tally.n_unseen, tally.n_distinct_valid),
        "novel_data": (tally.n_unknown, tally.n_distinct_valid),
        "recovered": (tally.n_recovered, len(reference.target)),
    }
    return {
        **{name: hits / n if n else float("nan") for name, (hits, n) in counts.items()},
        "unique_of_first": tally.unique_of_first,
        "n_distinct": tally.n_distinct,
        "n_distinct_valid": tally.n_distinct_valid,
        "n_target": len(reference.target),
        "table": rules.table,
        **tally.distances(),
        "reasons": tally.reasons(),
        "plots": tally.frequencies(),
        "intervals": {
            name: bootstrap_share(hits, n, seed=seed)
            for name, (hits, n) in counts.items()
            if name != "unique"  # not a mean over samples
        },
    }


def training_reference(
    formulas: Sequence[str], is_held_out: NDArray[np.bool_], rules: Options
) -> Reference:
    """Make the reference of a model that has just been trained on what is not held out."""
    seen = [f for f, out in zip(formulas, is_held_out, strict=True) if not out]
    return Reference.create(formulas, fingerprints(seen), rules)
