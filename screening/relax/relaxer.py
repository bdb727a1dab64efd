"""Relaxation of structures: the public function of the stage."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from screening.elements import MAX_Z
from screening.engines import Crystal, EngineSpec, engine_id
from screening.engines.descent.options import RelaxOptions
from screening.errors import InputError
from screening.progress import report
from screening.relax.workers import relax_alone, relax_batches
from screening.schemas.relax import RelaxationDoc, RelaxState

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pymatgen.core import Structure

    from screening.relax.workers import Outcome


@dataclass(frozen=True)
class RelaxResult:
    """The outcome of one relaxation.

    Attributes
    ----------
    structure
        The relaxed structure, sites in the order of the input; None unless the state is usable.
    relaxation
        How it went.
    """

    structure: Structure | None
    relaxation: RelaxationDoc


def relax_structures(
    structures: Sequence[Structure],
    options: RelaxOptions | None = None,
    *,
    engine: EngineSpec = "chgnet",
    device: str = "cpu",
    processes: int = 1,
    on_done: Callable[[int, RelaxResult], None] | None = None,
) -> list[RelaxResult]:
    """Relax cell and positions of many structures.

    A structure that cannot be relaxed is a result with a state and a reason. Results are the same,
    bit for bit, for any number of processes; on CUDA devices they repeat to rounding.

    Parameters
    ----------
    structures
        Ordered structures; oxidation states and site properties are ignored.
    options
        What to do; by default `RelaxOptions()`.
    engine
        Energy source, see `screening.engines.engine_id`.
    device
        torch device.
    processes
        Worker processes, each on one thread. They die with this process.
    on_done
        Called in this process with position and result, as each batch is done.

    Returns
    -------
    list of RelaxResult
        In the order of `structures`.

    Raises
    ------
    InputError
        If an argument is wrong.
    EngineError
        If the engine cannot be used.
    """
    options = options or RelaxOptions()
    if processes < 1:
        raise InputError(f"{processes=} must be at least 1")
    name = engine_id(engine)
    results: dict[int, RelaxResult] = {}

    def finish(index: int, result: RelaxResult) -> None:
        results[index] = result
        if on_done is not None:
            on_done(index, result)
        report("relax", len(results), len(structures))

    usable: list[int] = []
    for index, structure in enumerate(structures):
        if problem := _problem(structure):
            finish(index, _failure(name, options, problem))
        else:
            usable.append(index)
    size = options.batch_size
    batches = [usable[start : start + size] for start in range(0, len(usable), size)]
    crystals = [[Crystal.from_structure(structures[i]) for i in batch] for batch in batches]
    with closing(relax_batches(crystals, options, engine, device, processes)) as outcomes:
        for number, outcome in outcomes:
            done = outcome or _one_by_one(crystals[number], options, engine, device, name)
            for index, (crystal, doc) in zip(batches[number], done, strict=True):
                structure = crystal.to_structure() if doc.state.usable else None
                finish(index, RelaxResult(structure, doc))
    return [results[index] for index in range(len(structures))]


def _one_by_one(
    crystals: Sequence[Crystal],
    options: RelaxOptions,
    engine: EngineSpec,
    device: str,
    name: str,
) -> Outcome:
    """Find the crystal that kills its process: each in a process of its own."""
    done: Outcome = []
    for crystal in crystals:
        outcome = relax_alone([crystal], options, engine, device)
        lost = _failure(name, options, "the process that relaxed it died (out of memory?)")
        done += outcome if outcome is not None else [(crystal, lost.relaxation)]
    return done


def _failure(engine: str, options: RelaxOptions, reason: str) -> RelaxResult:
    doc = RelaxationDoc(
        engine=engine, state=RelaxState.FAILED, reason=reason, pressure=options.pressure
    )
    return RelaxResult(None, doc)


def _problem(structure: Structure) -> str | None:
    """Why a structure cannot be relaxed at all."""
    if not len(structure):
        return "the structure has no atoms"
    if not structure.is_ordered:
        return "the structure is disordered: order it first"
    if not all(0 < getattr(site.specie, "Z", 0) <= MAX_Z for site in structure):  # dummy species
        return "the structure has sites that are not elements from H to Lr"
    return None
