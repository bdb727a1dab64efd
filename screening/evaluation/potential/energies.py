"""Formation energies of a potential against those of a database."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from screening.composition import CompositionArray
from screening.energy_scale.labelled import elemental_energies, potential_energies
from screening.energy_scale.model import energy_scale
from screening.energy_scale.terms import element_fractions
from screening.metrics.intervals import bootstrap_interval
from screening.training.data import canonical_formulas

if TYPE_CHECKING:
    import pandas as pd

    from screening.evaluation.potential.subject import Subject

Floats = NDArray[np.float64]


def measure_energies(subject: Subject, table: pd.DataFrame) -> dict[str, Any]:
    """Compare formation energies, on the engine's energy scale where one was fitted.

    Returns
    -------
    ``mae``, ``median`` (of the absolute errors), ``bias`` (all eV/atom) with bootstrap intervals,
    ``coverage`` (share of the labels inside the 90 % intervals; None without a scale), ``scale``
    (which energies these are), ``n`` and ``failed`` (crystals without an energy).
    """
    truth = table["formation_energy_per_atom"].to_numpy(dtype=np.float64)
    formulas = canonical_formulas(table["formula"].tolist())
    compositions = CompositionArray.from_formulas(formulas)
    with tempfile.TemporaryDirectory() as spare:
        folder = (subject.state or Path(spare)) / "potential-energies"
        energies = potential_energies(
            subject.crystals(table), subject.engine, relax=subject.relax, state=folder
        )
        values, inside, source = _formation(subject, compositions, energies, truth, folder)
    good = np.isfinite(values)
    errors = (values - truth)[good]
    sizes = np.abs(errors)
    seed = subject.seed
    return {
        "n": int(good.sum()),
        "failed": int((~good).sum()),
        "mae": float(sizes.mean()) if len(sizes) else None,
        "mae_interval": bootstrap_interval(sizes, seed=seed),
        "bias": float(errors.mean()) if len(sizes) else None,
        "bias_interval": bootstrap_interval(errors, seed=seed),
        "median": float(np.median(sizes)) if len(sizes) else None,
        "median_interval": bootstrap_interval(sizes, np.median, seed=seed),
        "coverage": None if inside is None else float(inside[good].mean()),
        "coverage_interval": None
        if inside is None
        else bootstrap_interval(inside[good].astype(np.float64), seed=seed),
        "relaxed": subject.relax,
        "scale": source,
    }


def _formation(
    subject: Subject,
    compositions: CompositionArray,
    energies: Floats,
    truth: Floats,
    folder: Path,
) -> tuple[Floats, NDArray[np.bool_] | None, str]:
    """Give formation energies, which labels lie in their intervals, and the energies' name."""
    scale = energy_scale(subject.engine.name)
    if scale is not None:
        scaled = scale.formation_energies(compositions, energies)
        inside = (scaled.lower <= truth) & (truth <= scaled.upper)
        return scaled.values, inside, scaled.source  # noqa: PD011 - not of pandas
    elements = elemental_energies(subject.engine, folder)
    fractions = element_fractions(compositions)
    missing = (fractions[:, np.isnan(elements)] > 0).any(axis=1)
    values = energies - fractions @ np.nan_to_num(elements)
    source = f"{subject.engine.name}, raw references"
    return np.where(missing, np.nan, values), None, source
