"""Verdicts on compositions against SMACT's."""

from __future__ import annotations

import warnings
from functools import partial
from typing import TYPE_CHECKING

from benchmarks.harness import Report, race, require
from benchmarks.inputs import mixed_compositions
from screening.composition import CompositionArray
from screening.validity import Verdicts, check_validity

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pymatgen.core import Composition


def run(items: int, seed: int, repeats: int) -> Report:
    """Judge the same compositions by SMACT's rules, with SMACT and here."""
    smact_validity = require("smact.screening").smact_validity
    from pymatgen.core import Composition

    report = Report(
        "Charge neutrality and electronegativity balance, default table (ICSD24) and rules; here "
        "with the reason and the metallicity score",
        "smact.screening.smact_validity",
        packages=("smact",),
    )
    packed = mixed_compositions(items, seed)
    formulas = packed.formulas()
    compositions = [Composition(formula) for formula in formulas]

    def from_strings() -> Verdicts:
        return check_validity(CompositionArray.from_formulas(formulas))

    def from_arrays() -> Verdicts:
        return check_validity(packed)

    def theirs(inputs: Sequence[str | Composition]) -> list[bool]:
        return [smact_validity(each) for each in inputs]

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, ours, peer in (
            ("strings", from_strings, partial(theirs, formulas)),
            ("packed / Composition", from_arrays, partial(theirs, compositions)),
        ):
            row, verdicts, expected = race(name, "verdicts/s", ours, peer, repeats=repeats)
            report.rows.append(row)
            judged = zip(formulas, verdicts.valid, expected, strict=True)
            wrong = [formula for formula, valid, their_verdict in judged if valid != their_verdict]
            detail = f"{len(wrong)} of {len(formulas)} differ {wrong[:5] or ''}".strip()
            report.check(f"identical verdicts, {name}", detail, passed=not wrong)
    report.figures["accepted"] = f"{sum(expected)} of {len(expected)}"
    return report
