"""Descriptors of compositions against matminer's."""

from __future__ import annotations

import warnings

import numpy as np

from benchmarks.harness import Report, race, require
from benchmarks.inputs import mixed_compositions
from screening.composition import CompositionArray
from screening.features import composition_features, feature_names

TOLERANCE = 1e-6


def run(items: int, seed: int, repeats: int) -> Report:
    """Compute the Magpie statistics; here all 228 descriptors are computed in the same time."""
    featurizers = require("matminer.featurizers.composition")
    from pymatgen.core import Composition

    report = Report(
        "Minimum, maximum, range, mean and deviation of 22 Magpie properties; matminer's mode is "
        "left out there, and all 228 descriptors are computed here",
        "matminer ElementProperty('magpie')",
        packages=("matminer",),
    )
    packed = mixed_compositions(items, seed)
    formulas = packed.formulas()
    compositions = [Composition(formula) for formula in formulas]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        magpie = featurizers.ElementProperty.from_preset("magpie")
        magpie.stats = [stat for stat in magpie.stats if stat != "mode"]
        labels = [str(label) for label in magpie.feature_labels()]
        strings, ours, expected = race(
            "strings",
            "compositions/s",
            lambda: composition_features(
                CompositionArray.from_formulas(formulas), dtype=np.float64
            ),
            lambda: [magpie.featurize(Composition(formula)) for formula in formulas],
            repeats=repeats,
        )
        arrays, again, _ = race(
            "packed / Composition",
            "compositions/s",
            lambda: composition_features(packed, dtype=np.float64),
            lambda: [magpie.featurize(each) for each in compositions],
            repeats=repeats,
        )
    report.rows += [strings, arrays]
    names = feature_names()
    report.check(
        "same columns", f"{len(labels)} of matminer", passed=names[: len(labels)] == labels
    )
    for name, found in (("strings", ours), ("packed", again)):
        difference = float(np.abs(found[:, : len(labels)] - np.array(expected)).max())
        report.check(
            f"largest difference from {name}",
            f"{difference:.1e} (allowed {TOLERANCE:.0e})",
            passed=difference <= TOLERANCE,
        )
    return report
