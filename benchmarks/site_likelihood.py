"""All elements of ternary systems on all templates, scored by the likelihoods of their sites."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.harness import Report, race
from screening.elements import symbols
from screening.prototypes.bank import Bank
from screening.site_likelihood.likelihood import SiteLikelihood
from screening.site_likelihood.substitution import Substitutions
from screening.site_likelihood.templates import template_scores

if TYPE_CHECKING:
    from numpy.typing import NDArray

PUBLISHED = 4.8e9 / (6 * 3600 * 8)
"""Structures per second and core of Ryan et al. 2018 (4.8 billion in 6 hours on 8 cores)."""
METALS = ("Li", "Na", "Mg", "Al", "Ti", "Mn", "Fe", "Co", "Ni", "Cu", "Zn", "Y", "Zr", "La")
OTHERS = ("B", "C", "N", "O", "F", "Si", "P", "S", "Cl", "Ge", "As", "Se")
_PEER_WAYS = 20_000


@dataclass(frozen=True)
class Scored:
    """Best scores of each system's compositions; its length is the number of structures."""

    best: list[NDArray[np.float32]]
    n: int

    def __len__(self) -> int:
        return self.n


def run(items: int, seed: int, repeats: int) -> Report:
    """Score every crystal of `items` ternary systems, here and one structure at a time."""
    report = Report(
        "Every element of a ternary system on every class of the bundled templates; the best "
        "structure of each composition is kept",
        "the same sums in plain Python, one structure at a time",
    )
    bank = Bank.load()
    table = template_scores(bank, SiteLikelihood.load().of_bank(bank), "product")
    ways = Substitutions.of(bank, 3)
    rng = np.random.default_rng(seed)
    numbers = {name: symbols().index(name) for name in (*METALS, *OTHERS)}
    systems = [
        [
            *(numbers[name] for name in rng.choice(METALS, 2, replace=False)),
            numbers[str(rng.choice(OTHERS))],
        ]
        for _ in range(items)
    ]

    def ours() -> Scored:
        best = [ways.best(table[:, :, system])[0] for system in systems]
        return Scored(best, len(ways) * items)

    part = min(_PEER_WAYS, len(ways))

    def peer() -> Scored:
        scores = table[:, :, systems[0]].tolist()
        best = [-np.inf] * len(ways.counts)
        rows = zip(ways.prototypes, ways.assignments, ways.compositions, strict=True)
        for _, (prototype, assigned, composition) in zip(range(part), rows, strict=False):
            classes = scores[prototype]
            score = sum(classes[c][element] for c, element in enumerate(assigned))
            best[composition] = max(best[composition], score)
        return Scored([np.array(best, dtype=np.float32)], part)

    row, mine, theirs = race("ternary systems", "structures/s", ours, peer, repeats=repeats)
    report.rows.append(row)
    first = Substitutions(
        ways.prototypes[:part], ways.assignments[:part], ways.compositions[:part], ways.counts
    )
    known = theirs.best[0] > -np.inf
    again, _ = first.best(table[:, :, systems[0]])
    difference = np.abs(again[known] - theirs.best[0][known]).max()
    report.check("best scores", f"largest difference {difference:.1e}", passed=difference < 1e-3)
    report.figures |= {
        "structures": len(mine),
        "compositions of one system": len(ways.counts),
        "published, structures/s and core": round(PUBLISHED),
        "times the published rate": round(row.ours.median / PUBLISHED),
    }
    return report
