"""``screening train references``: a table of known compositions with their lowest energies."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from screening.checkpoints import Card, save_checkpoint
from screening.composition import CompositionArray
from screening.energy_scale.classes import CLASSES, composition_classes
from screening.energy_scale.terms import term_names
from screening.errors import InputError
from screening.references.audit import Energies, without_suspects
from screening.references.merge import ScaleMap, fit_map, merge
from screening.references.table import TABLE_CLASS, ReferenceTable, pack
from screening.schemas import CheckpointRef
from screening.training.data import ENERGY_COLUMNS, canonical_formulas, held_out, read_table
from screening.training.environment import package_versions
from screening.training.request import parse_options, plain_metrics

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from screening.training.request import TrainRequest

VERSION = "1"
REFERENCES = [
    "10.1063/1.4812323",
    "10.1038/s41598-021-94550-5",
    "10.1038/s41524-020-00362-y",
]
LARGEST = 6.5
"""Largest size of a formation energy that the table can hold (eV/atom)."""
CERTAIN = 0.1
"""Terms of a map with a larger standard error (eV/atom) are not written on the card."""

Crystals = dict[str, list[float]]
"""Formation energies (eV/atom, ascending) of all crystals by canonical formula."""


class ReferencesOptions(BaseModel):
    """Names and dates of the table."""

    model_config = ConfigDict(extra="forbid")

    scale: str = Field("MP2020", description="Name of the scale of the first file")
    sources: str = Field("", description="Name of each file, separated by commas")
    date: str = Field("not stated", description="What state of the sources the files are")
    test_fraction: float = Field(
        0.2, gt=0, lt=0.9, description="Share of shared formulas on which the maps are measured"
    )


def train_references(request: TrainRequest) -> Card:
    """Make the table; the first file gives the scale, and further files are mapped onto it.

    If the first file has a column ``e_above_hull``, energies of the others that make its hull too
    low are replaced (`screening.references.audit`).

    Raises
    ------
    InputError
        If the files cannot be used, or share too few compounds to be put on one scale.
    """
    started = time.perf_counter()
    options = parse_options(ReferencesOptions, request.options)
    names = _source_names(request.data, options.sources)
    files = [crystal_energies(path) for path in request.data]
    merged, crystals, maps = _on_one_scale(files, names, options.test_fraction, request.seed)
    arguments = {"scale": options.scale, "date": options.date, "sources": names}
    merged, replaced = without_suspects(
        merged, crystals, known_hull(request.data[0]), partial(_table, arguments)
    )
    tensors = _tensors(merged)
    origins = tensors["origins"]
    card = Card(
        name=request.out.name,
        version=VERSION,
        model=TABLE_CLASS,
        description="Known compositions with the lowest DFT formation energy of each",
        arguments=arguments,
        hyperparameters=options.model_dump(),
        data=[
            request.source(path, sum(map(len, file.values())))
            for path, file in zip(request.data, files, strict=True)
        ],
        split={
            "by": "reduced formula", "test_fraction": options.test_fraction, "seed": request.seed,
        },
        metrics=plain_metrics(
            {
                "compositions": len(origins),
                "by_source": {name: int((origins == k).sum()) for k, name in enumerate(names)},
                "replaced": len(replaced),
                "maps": {name: details["metrics"] for name, details in maps.items()},
            }
        ),
        plots={
            "terms": {name: details["terms"] for name, details in maps.items()},
            "replaced": replaced,
        },
        seed=request.seed,
        wall_time=time.perf_counter() - started,
        device="cpu",
        packages=package_versions("numpy"),
        references=REFERENCES,
    )  # fmt: skip
    return save_checkpoint(request.out, tensors, card)


def _on_one_scale(
    files: list[Crystals], names: list[str], fraction: float, seed: int
) -> tuple[Energies, list[Crystals], dict[str, dict[str, Any]]]:
    """Map all files onto the scale of the first one and merge them; measure the maps."""
    target = lowest(files[0])
    merged: Energies = {name: (energy, 0) for name, energy in target.items()}
    crystals, maps = [files[0]], {}
    for k, file in enumerate(files[1:], start=1):
        scale_map = fit_map(lowest(file), target)
        maps[names[k]] = {
            "metrics": measure_map(lowest(file), target, fraction, seed),
            "terms": _terms(scale_map),
        }
        shift = scale_map.shift(CompositionArray.from_formulas(list(file))).tolist()
        crystals.append({
            name: [energy + change for energy in energies]
            for (name, energies), change in zip(file.items(), shift, strict=True)
        })  # fmt: skip
        current = {name: energy for name, (energy, _) in merged.items()}
        merged = {
            name: (energy, k if new else merged[name][1])
            for name, (energy, new) in merge(current, lowest(crystals[k])).items()
        }
    return merged, crystals, maps


def _tensors(energies: Energies) -> dict[str, NDArray[Any]]:
    """Tensors of a table; elements are at 0."""
    compositions = CompositionArray.from_formulas(list(energies))
    values = np.array([energy for energy, _ in energies.values()])
    values[compositions.n_elements() == 1] = 0.0
    origins = np.array([origin for _, origin in energies.values()], dtype=np.uint8)
    return pack(compositions, values, origins)


def _table(arguments: dict[str, Any], energies: Energies) -> ReferenceTable:
    """Make a table that is not saved yet."""
    draft = CheckpointRef(name="draft", version=VERSION, sha256="")
    return ReferenceTable.unpack(arguments, _tensors(energies), draft)


def crystal_energies(path: Path) -> Crystals:
    """Read the formation energies (eV/atom, ascending) of all crystals of each canonical formula.

    Raises
    ------
    InputError
        If the file has no row with a finite energy within 6.5 eV/atom of 0.
    """
    table = read_table(path, ENERGY_COLUMNS)
    table = table[table["formation_energy_per_atom"].abs() < LARGEST]
    if table.empty:
        raise InputError(f"{path} has no row with a finite formation_energy_per_atom")
    table = table.assign(formula=canonical_formulas(table["formula"].tolist()))
    groups = table.groupby("formula")["formation_energy_per_atom"]
    return {str(name): sorted(map(float, energies)) for name, energies in groups}


def lowest(crystals: Crystals) -> dict[str, float]:
    """Lowest energy (eV/atom) of each formula."""
    return {name: energies[0] for name, energies in crystals.items()}


def known_hull(path: Path) -> dict[str, float]:
    """Read the hull's formation energy (eV/atom) at each compound, if the file has distances."""
    table = read_table(path, ENERGY_COLUMNS)
    if "e_above_hull" not in table.columns:
        return {}
    table = table.assign(
        formula=canonical_formulas(table["formula"].tolist()),
        hull=table["formation_energy_per_atom"] - table["e_above_hull"],
    )
    table = table[np.isfinite(table["hull"])]
    energies = table.groupby("formula")["hull"].max()
    return {str(name): float(energy) for name, energy in energies.items()}


def measure_map(
    source: dict[str, float], target: dict[str, float], fraction: float, seed: int
) -> dict[str, Any]:
    """Measure the residuals (eV/atom) of a map on compounds that it was not fitted to."""
    shared = [name for name in source if name in target]
    test = held_out(shared, fraction=fraction, seed=seed)
    fitted = {name for name, out in zip(shared, test, strict=True) if not out}
    scale_map = fit_map({name: source[name] for name in source if name in fitted}, target)
    names = [name for name, out in zip(shared, test, strict=True) if out]
    compositions = CompositionArray.from_formulas(names)
    difference = np.array([target[name] - source[name] for name in names])
    residual = difference - scale_map.shift(compositions)
    classes = composition_classes(compositions)
    compounds = compositions.n_elements() > 1
    return {
        "n": int(compounds.sum()),
        "shared": len(shared),
        "before": _residuals(difference[compounds]),
        "after": _residuals(residual[compounds]),
        "classes": {
            name: {"n": int((classes == k).sum()), **_residuals(residual[classes == k])}
            for k, name in enumerate(CLASSES)
            if (classes == k).any() and name != "element"
        },
    }


def _residuals(values: NDArray[np.float64]) -> dict[str, float]:
    sizes = np.abs(values)
    return {
        "mae": float(sizes.mean()),
        "median": float(np.median(sizes)),
        "largest_of_90_percent": float(np.quantile(sizes, 0.9)),
        "bias": float(values.mean()),
    }


def _terms(scale_map: ScaleMap) -> dict[str, list[float]]:
    """Value and standard error (eV/atom) of each term that is known well enough."""
    errors = np.sqrt(np.diag(scale_map.covariance))
    rows = zip(term_names(), scale_map.terms.tolist(), errors.tolist(), strict=True)
    return {
        name: [round(value, 4), round(error, 4)] for name, value, error in rows if error < CERTAIN
    }


def _source_names(paths: tuple[Path, ...], names: str) -> list[str]:
    """Name each file."""
    if not names:
        return [path.stem for path in paths]
    labels = [name.strip() for name in names.split(",")]
    if len(labels) != len(paths) or not all(labels):
        raise InputError(f"sources={names!r} must name each of the {len(paths)} files")
    return labels
