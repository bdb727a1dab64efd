"""Relaxation of crystals with CHGNet against chgnet's own optimizer."""

from __future__ import annotations

import io
import warnings
from collections import Counter
from contextlib import redirect_stdout
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.harness import Report, race, require
from benchmarks.inputs import crystals
from screening.engines.threads import one_thread
from screening.relax import RelaxOptions, RelaxResult, relax_structures

if TYPE_CHECKING:
    from pymatgen.core import Structure

FMAX = 0.05
MAX_STEPS = 500
NEAR = (0.001, 0.01)
"""Energy differences that are counted (eV/atom)."""
EQUAL_BEFORE = 1e-4
"""Largest difference of the energies before relaxation (eV/atom): rounding in single precision."""


def run(items: int, seed: int, repeats: int) -> Report:
    """Relax cell and positions of the same crystals with the same model, fmax and step limit."""
    optimizer_class = require("chgnet.model").StructOptimizer
    report = Report(
        f"Cell and positions with CHGNet 0.3.0, fmax={FMAX} eV/Angstrom, at most {MAX_STEPS} "
        "steps; here the stress must also fall below 0.1 GPa",
        "chgnet StructOptimizer (FIRE, FrechetCellFilter)",
        packages=("chgnet", "torch", "ase"),
    )
    methods, structures = crystals(items, seed)
    options = RelaxOptions(fmax=FMAX, max_steps=MAX_STEPS)
    with one_thread(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with redirect_stdout(io.StringIO()):  # it greets
            optimizer = optimizer_class(use_device="cpu")
        relax_structures(structures[:1], RelaxOptions(max_steps=1))  # loads and compiles

        def theirs() -> list[dict[str, Any]]:
            return [
                optimizer.relax(structure, fmax=FMAX, steps=MAX_STEPS, verbose=False)
                for structure in structures
            ]

        row, ours, expected = race(
            f"{len(structures)} crystals, {sum(map(len, structures))} atoms",
            "structures/s",
            lambda: relax_structures(structures, options),
            theirs,
            repeats=repeats,
            warm_up=False,
        )
    report.rows.append(row)
    report.figures["ours, s/structure"] = round(1 / row.ours.median, 3)
    report.figures["peer, s/structure"] = round(1 / row.peer.median, 3)
    _compare(report, methods, structures, ours, expected)
    return report


def _compare(
    report: Report,
    methods: list[str],
    structures: list[Structure],
    ours: list[RelaxResult],
    theirs: list[dict[str, Any]],
) -> None:
    """Add states, steps and the distribution of the energy differences to the report."""
    states = Counter(str(result.relaxation.state) for result in ours)
    report.figures["ours, states"] = ", ".join(f"{n} {state}" for state, n in states.items())
    paths = [result["trajectory"] for result in theirs]
    stopped = sum(np.linalg.norm(path.forces[-1], axis=1).max() > FMAX for path in paths)
    report.figures["peer, force above fmax at the end"] = int(stopped)
    report.figures["ours, mean evaluations"] = float(
        np.mean([result.relaxation.steps for result in ours])
    )
    report.figures["peer, mean evaluations"] = float(np.mean([len(p.energies) - 1 for p in paths]))
    usable = np.array([result.relaxation.state.usable for result in ours])
    energy = np.array([result.relaxation.energy_per_atom or np.nan for result in ours])
    expected = np.array(
        [path.energies[-1] / len(s) for path, s in zip(paths, structures, strict=True)]
    )
    difference = energy - expected
    for method in dict.fromkeys(methods):
        part = difference[usable & (np.array(methods) == method)]
        if not len(part):
            continue
        cuts = np.quantile(part, [0, 0.25, 0.5, 0.75, 1]) * 1000
        report.figures[f"{method}: ours - peer, meV/atom (min, quartiles, max)"] = ", ".join(
            f"{value:.1f}" for value in cuts
        )
        near = [f"{np.mean(np.abs(part) < limit):.0%} < {1000 * limit:.0f} meV" for limit in NEAR]
        report.figures[f"{method}: |ours - peer| per atom"] = ", ".join(near)
    before = [result.relaxation.initial_energy_per_atom for result in ours]
    first = [path.energies[0] / len(s) for path, s in zip(paths, structures, strict=True)]
    worst = max(abs(a - b) for a, b in zip(before, first, strict=True) if a is not None)
    report.check(
        "largest difference of the energies before",
        f"{worst:.1e} eV/atom (allowed {EQUAL_BEFORE:.0e})",
        passed=worst <= EQUAL_BEFORE,
    )
