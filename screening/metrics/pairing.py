"""Predictions in files against references in files: who belongs to whom, and the summary."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from screening.errors import InputError
from screening.metrics.compare import LEGACY, METRICS, compare
from screening.metrics.intervals import bootstrap_interval
from screening.metrics.matching import TOLERANCES, Matches
from screening.metrics.sets import Coverage
from screening.readers.files import read_structures

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from pymatgen.core import Structure

    from screening.engines.base import Engine
    from screening.readers.files import ReadStructure


@dataclass(frozen=True)
class Target:
    """One reference and what was predicted for it, best first.

    Attributes
    ----------
    name
        File of the reference.
    reference
        The true crystal.
    predictions
        What was read for it; some may hold a reason instead of a structure.
    """

    name: str
    reference: Structure
    predictions: tuple[ReadStructure, ...]


def read_targets(reference: Path, predicted: Path) -> list[Target]:
    """Read references and the predictions that belong to them.

    Parameters
    ----------
    reference
        A structure file, or a folder of such, one structure in each.
    predicted
        A structure file or a folder. If `reference` is a file, all in it is for that one. Else the
        name of a prediction, or of the folder that it lies in, is that of the reference, alone or
        with a suffix after one of ``_-.`` (``NaCl_1.cif`` and ``NaCl/1.cif`` for ``NaCl.cif``).
        The order of the names, numbers in them by value, is the rank.

    Raises
    ------
    InputError
        If a file cannot be read, a reference is unusable, or no prediction belongs to any.
    """
    references = _references(reference)
    found = sorted(read_structures(predicted), key=lambda read: _natural(read.label))
    if not reference.is_dir():
        ((name, structure),) = references.items()
        return [Target(name, structure, tuple(found))]
    ranked: dict[str, list[ReadStructure]] = {name: [] for name in references}
    for read in found:
        names = [name for name in ranked if _belongs(read.label, name, predicted)]
        if names:
            ranked[max(names, key=len)].append(read)
    if not any(ranked.values()):
        raise InputError(
            f"no prediction in {predicted} has the name of a reference in {reference} "
            f"({', '.join(list(references)[:3])}, ...): name them alike"
        )
    return [Target(name, references[name], tuple(reads)) for name, reads in ranked.items()]


def _references(path: Path) -> dict[str, Structure]:
    """Read each reference under the name of its file, without the suffix."""
    references: dict[str, Structure] = {}
    for read in read_structures(path):
        if read.structure is None:
            raise InputError(f"the reference {read.label} {read.reason}")
        name = _stem(read.label)
        if name in references:
            raise InputError(f"{read.label}: more than one reference is called {name}")
        references[name] = read.structure
    return references


def _stem(label: str) -> str:
    """File name of a label without folder, place inside the file and suffix."""
    name = re.split(r"[/\\]", label.split("#", maxsplit=1)[0])[-1]
    return name.rpartition(".")[0] or name


def _belongs(label: str, name: str, folder: Path) -> bool:
    parts = label.split("#", maxsplit=1)[0].removeprefix(str(folder)).strip("/\\")
    parents = re.split(r"[/\\]", parts)[:-1]
    return (
        name in parents or re.fullmatch(re.escape(name) + r"([_.-].*)?", _stem(label)) is not None
    )


def _natural(text: str) -> list[tuple[bool, int, str]]:
    """Sort key by which 10 comes after 9."""
    return [
        (part.isdigit(), int(part) if part.isdigit() else 0, part)
        for part in re.split(r"(\d+)", text)
    ]


def compare_targets(
    targets: Sequence[Target], *, legacy: bool = False, engine: Engine | None = None
) -> Iterator[dict[str, Any]]:
    """Compare each prediction with its reference.

    Yields
    ------
    What `compare` gives, with the `reference`, the `rank` (from 1) and the `prediction`. A
    prediction that could not be read has no values, and that as the reason.
    """
    names = {**METRICS, **(LEGACY if legacy else {})}
    for target in targets:
        for rank, read in enumerate(target.predictions, start=1):
            head = {"reference": target.name, "rank": rank, "prediction": read.label}
            if read.structure is None:
                values = {**dict.fromkeys(names), "reasons": dict.fromkeys(names, read.reason)}
            else:
                values = compare(target.reference, read.structure, legacy=legacy, engine=engine)
            yield {**head, **values}


def summarise(
    targets: Sequence[Target], rows: Sequence[dict[str, Any]], seed: int = 0
) -> dict[str, Any]:
    """Match rates, METRe and cRMSE of all targets, and means over all predictions.

    Parameters
    ----------
    targets
        As read.
    rows
        What `compare_targets` gave for them.
    seed
        Seed of the bootstrap.

    Returns
    -------
    Under `rates` and `sets` numbers by tolerance; under `means` for each metric that is a score
    its mean over the `n` predictions that have a value, with the 95 % interval.
    """
    places = {target.name: i for i, target in enumerate(targets)}
    longest = max((len(target.predictions) for target in targets), default=0)
    rms = {name: np.full((len(targets), max(longest, 1)), np.nan) for name in TOLERANCES}
    for row in rows:
        for name, found in rms.items():
            if row[f"rms_{name}"] is not None:
                found[places[row["reference"]], row["rank"] - 1] = row[f"rms_{name}"]
    usable = [read.structure for t in targets for read in t.predictions if read.structure]
    coverage = Coverage.of([target.reference for target in targets], usable)
    means = {}
    for name, metric in {**METRICS, **LEGACY}.items():
        values = np.array([row[name] for row in rows if row.get(name) is not None], dtype=float)
        if metric.perfect is not None and len(values):
            means[name] = {
                "mean": float(values.mean()),
                "interval": list(bootstrap_interval(values, seed=seed)),
                "n": len(values),
                "unit": metric.unit,
            }
    return {
        "n_references": len(targets),
        "n_predictions": len(rows),
        "n_unreadable": len(rows) - len(usable),
        "rates": Matches(rms).rates(),
        "sets": {"metre": coverage.metre(), "crmse": coverage.crmse()},
        "means": means,
    }
