"""Measure all generators on the same formulas: ``screening evaluate generators``.

Of each method validity, matches with the known ground state, how far its structures are from their
minima (as in Table III of Luo et al. 2024, doi:10.1038/s41524-024-01443-y, with a potential in
place of DFT), uniqueness, novelty and cost; beside it as many random crystals, with symmetry and
without.
"""

from __future__ import annotations

from contextlib import nullcontext
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from screening.checkpoints import checkpoint_ref
from screening.checkpoints.io import file_sha256
from screening.crystal.isopointal import Tolerance
from screening.engines import engine_id
from screening.errors import InputError
from screening.evaluation.generators.held_out import (
    KnownCrystals,
    Subject,
    choose_subjects,
    fresh_formulas,
    identity,
    make_generator,
    pooled,
    reduce_bank,
    structure_table,
    subject_of_map,
    train_rest,
    trained_on,
)
from screening.evaluation.generators.measure import Measurement
from screening.evaluation.generators.options import KNOWN, POOL, GeneratorsEvaluation
from screening.evaluation.generators.polymorph_map import describe, landscape
from screening.evaluation.generators.pooling import compare_pool, pool_table
from screening.evaluation.generators.result_cache import Parts
from screening.evaluation.generators.summary import (
    PAPER,
    figures,
    join,
    known_energies,
    plots,
    polymorphs_table,
    subjects_summary,
    tables,
)
from screening.identity import content_hash
from screening.metrics.matching import TOLERANCES
from screening.progress import report
from screening.prototypes.extend import Extender
from screening.structure import Bank
from screening.training.data import unseen
from screening.training.request import parse_options, plain_metrics

if TYPE_CHECKING:
    from collections.abc import Sequence

    from screening.structure import StructureGenerator
    from screening.training.request import EvaluateRequest

VERSION = 1
"""Raised when the same request would measure something else."""


def evaluate_generators(request: EvaluateRequest) -> dict[str, Any]:
    """Measure generators on formulas that none of them has seen, or map the crystals of one.

    The bank of prototypes, templates and volumes is trained on the file without all formulas that
    the models have not seen, or is the checkpoint's, less these; for a map it is the checkpoint's
    or the bundled one, less the formula. Finished parts are kept in `request.state`: the same
    request goes on where it was stopped, and a larger sample continues a smaller one.

    ``methods`` has `screening.evaluation.generators.summary.figures` of each method and of
    ``known``, the known crystals; ``rows`` all structures; ``tables`` is for a terminal. With the
    option ``pool``, that of all methods is measured like one, and compared with the prototypes
    alone: ``pool``, see
    `screening.evaluation.generators.pooling.compare_pool`. With the option ``map``, ``polymorphs``
    counts the known crystals that each method found, ``seen_by`` the methods whose models have seen
    the formula.

    Raises
    ------
    InputError
        If the options cannot be used, or nothing is left to measure.
    """
    options = parse_options(GeneratorsEvaluation, request.options)
    if request.holdout != "formula":
        raise InputError(f"holdout={request.holdout!r}: use 'formula'")
    table = structure_table(request.data)
    if options.map is None:
        held = fresh_formulas(table, options)
        subjects = choose_subjects(table, held, request, options)
        checkpoint = request.checkpoint
    else:
        subjects = [subject_of_map(table, options)]
        held, checkpoint = [subjects[0].formula], request.checkpoint or "prototypes"
        options = options.model_copy(update={"relaxed": request.top_k})
    data = file_sha256(request.data)
    used = checkpoint_ref(checkpoint).sha256 if checkpoint else options.epochs
    with nullcontext(request.state) if request.state else TemporaryDirectory() as state:
        base = Path(state) / content_hash(data, held, used, request.seed)[:16]
        if checkpoint:
            reduce_bank(checkpoint, held, base / "bank")
        else:
            train_rest(table, held, base / "bank", seed=request.seed, epochs=options.epochs)
        parts = _measure(subjects, options, request, base)
        digest = checkpoint_ref(str(base / "bank")).sha256
    energies = known_energies(parts[KNOWN])
    methods = {name: figures(part, energies, request.seed) for name, part in parts.items()}
    result: dict[str, Any] = {
        **subjects_summary(subjects),
        "methods": methods,
        "paper": PAPER,
        "plots": plots(parts, energies),
        "tables": tables(methods),
        "rows": [row for part in parts.values() for row in part["rows"]],
        "engine": engine_id(options.engine),
        "options": options.model_dump(),
        "tolerances": {name: list(values) for name, values in TOLERANCES.items()},
        "data_sha256": data,
        "checkpoint": {"name": "bank without unseen formulas", "sha256": digest},
        "seed": request.seed,
        "top_k": request.top_k,
    }
    if options.pool:
        result["pool"] = compare_pool(parts, options.pool, request.seed)
        result["tables"].append(pool_table(result["pool"]))
    if options.map is not None:
        result |= _map(parts, subjects[0], options, request.seed)
        result["plots"] = {"landscape": result.pop("landscape")}
        result["tables"].append(polymorphs_table(result["polymorphs"]))
    plain: dict[str, Any] = plain_metrics(result)
    return plain


def _measure(
    subjects: list[Subject],
    options: GeneratorsEvaluation,
    request: EvaluateRequest,
    folder: Path,
) -> dict[str, dict[str, Any]]:
    """Measure the known crystals and all methods, a block of formulas at a time."""
    bank = str(folder / "bank")
    generators: dict[str, StructureGenerator] = {KNOWN: KnownCrystals(subjects)}
    generators |= {name: make_generator(name, bank, options) for name in options.chosen()}
    if options.pool:
        generators[POOL] = pooled(generators, options.pool)
    note = describe(subjects[0].crystals) if options.map is not None else None
    measurement = Measurement(
        options, request.top_k, request.seed, Extender(Bank.load(bank), Tolerance()), note
    )
    settings = options.model_dump(exclude={"methods", "atoms", "pool"})
    asked = [VERSION, settings, request.top_k, engine_id(options.engine)]
    found = {}
    for name, generator in generators.items():
        key = content_hash(*asked, *identity(name, generators, options.pool))[:12]
        parts = Parts(folder / f"{name}-{key}")
        found[name] = join(_blocks(measurement, name, generator, subjects, parts))
    return found


def _blocks(
    measurement: Measurement,
    name: str,
    generator: StructureGenerator,
    subjects: Sequence[Subject],
    parts: Parts,
) -> list[dict[str, Any]]:
    """Measure one method, block by block."""
    size, total = measurement.options.block, len(subjects)
    warm = False

    def make(start: int) -> dict[str, Any]:
        nonlocal warm
        if not warm:  # models are read and code is compiled once: not part of the cost
            generator.generate(subjects[0].target, 1, measurement.seed)
            warm = True
        block = subjects[start : start + size]
        return measurement.block(name, generator, block, (start, total))

    blocks = []
    for start in range(0, total, size):
        formulas = [subject.formula for subject in subjects[start : start + size]]
        part = f"{start:05d}-{content_hash(formulas)[:12]}"
        blocks.append(parts.get(part, partial(make, start)))
        report(name, min(start + size, total), total)
    return blocks


def _map(
    parts: dict[str, dict[str, Any]],
    subject: Subject,
    options: GeneratorsEvaluation,
    seed: int,
) -> dict[str, Any]:
    """Lay out the crystals of a formula."""
    numbers, found = landscape(parts, len(subject.crystals), seed)
    seen = trained_on(options.chosen())
    return {
        "landscape": numbers,
        "polymorphs": found,
        "seen_by": [name for name, own in seen.items() if not unseen([subject.formula], own)[0]],
    }
