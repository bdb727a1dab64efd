"""Descriptors of compositions against matminer's."""

from __future__ import annotations

import numpy as np

from benchmarks.harness import Report, race
from benchmarks.inputs import mixed_compositions
from benchmarks.peers import PeerProcess
from screening.composition import CompositionArray
from screening.features import composition_features, feature_names

TOLERANCE = 1e-6


def run(items: int, seed: int, repeats: int) -> Report:
    """Compute the Magpie statistics; here all 228 descriptors are computed in the same time."""
    with PeerProcess("matminer") as matminer:
        return _compare(matminer, items, seed, repeats)


def _compare(matminer: PeerProcess, items: int, seed: int, repeats: int) -> Report:
    report = Report(
        "Minimum, maximum, range, mean and deviation of 22 Magpie properties; matminer's mode is "
        "left out there, and all 228 descriptors are computed here",
        "matminer ElementProperty('magpie')",
        peer_versions={"matminer": matminer.version},
    )
    packed = mixed_compositions(items, seed)
    formulas = packed.formulas()
    strings, ours, expected = race(
        "strings",
        "compositions/s",
        lambda: composition_features(CompositionArray.from_formulas(formulas), dtype=np.float64),
        lambda: matminer.run("strings", formulas),
        repeats=repeats,
    )
    arrays, again, _ = race(
        "packed / Composition",
        "compositions/s",
        lambda: composition_features(packed, dtype=np.float64),
        lambda: matminer.run("packed", formulas),
        repeats=repeats,
    )
    report.rows += [strings, arrays]
    labels = matminer.labels
    names = feature_names()
    report.check(
        "same columns", f"{len(labels)} of matminer", passed=names[: len(labels)] == labels
    )
    for name, features in (("strings", ours), ("packed", again)):
        difference = float(np.abs(features[:, : len(labels)] - np.array(expected)).max())
        report.check(
            f"largest difference from {name}",
            f"{difference:.1e} (allowed {TOLERANCE:.0e})",
            passed=difference <= TOLERANCE,
        )
    return report
