"""The two tests of Ryan et al. 2018 (doi:10.1021/jacs.8b03913) on crystals not seen before."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from screening.composition import CompositionArray
from screening.metrics.intervals import bootstrap_interval
from screening.progress import report

if TYPE_CHECKING:
    from collections.abc import Sequence

    from screening.crystal.crystals import Crystal
    from screening.site_likelihood.compositions import LikelyCompositions
    from screening.site_likelihood.templates import Singles, Templates

Floats = NDArray[np.float64]
STAGE = "site-likelihood"
TOPS = (1, 5, 10, 20)
"""Lengths of lists that are reported."""


def structure_ranks(
    templates: Templates, tables: dict[str, Singles], crystals: Sequence[Crystal]
) -> dict[str, Floats]:
    """Rank each crystal among all candidates with its composition (test 1).

    Parameters
    ----------
    templates
        The templates.
    tables
        `template_scores` by name.
    crystals
        The crystals.

    Returns
    -------
    Ranks by name, each ``(n,)``; infinite where the crystal has no template.
    """
    ranks = {name: np.full(len(crystals), np.inf) for name in tables}
    for index, crystal in enumerate(crystals):
        found = templates.find(crystal)
        for name, table in tables.items():
            if found is not None:
                ranks[name][index] = templates.rank(table, *found)
        report(STAGE, index + 1, len(crystals), "structures")
    return ranks


def rank_figures(ranks: Floats, seed: int) -> dict[str, Any]:
    """Shares of ranks up to `TOPS`, with 95 % intervals, and the median rank."""
    figures: dict[str, Any] = {"n": len(ranks), "with_template": float(np.isfinite(ranks).mean())}
    for top in TOPS:
        figures[f"top{top}"] = float((ranks <= top).mean())
        figures[f"top{top}_interval"] = bootstrap_interval(
            (ranks <= top).astype(np.float64), seed=seed
        )
    median = float(np.median(ranks)) if len(ranks) else np.inf
    figures["median_rank"] = median if np.isfinite(median) else None
    return figures


def optimality(places: NDArray[np.int64], n: int) -> float:
    """Optimality score of known compositions in a ranked list: 1 best, 0 random, -1 worst.

    ``OS = (N Q + Q - 2 sum q_i) / (N Q - Q^2)``, equation 2 of the paper.

    Parameters
    ----------
    places
        Places q_i of the Q known compositions, from 1, all different.
    n
        Length of the list, N; larger than Q.
    """
    known = len(places)
    return float((n * known + known - 2 * places.sum()) / (n * known - known**2))


def system_scores(
    likely: LikelyCompositions, formulas: Sequence[str]
) -> tuple[dict[int, Floats], int]:
    """Optimality score of each binary and ternary system that has new compositions (test 2).

    Parameters
    ----------
    likely
        Templates with their scores.
    formulas
        Canonical formulas that the networks have not seen.

    Returns
    -------
    Scores by number of elements, and how many compositions had to be left out because no template
    gives them.
    """
    systems: dict[tuple[int, ...], list[tuple[int, ...]]] = defaultdict(list)
    packed = CompositionArray.from_formulas(sorted(set(formulas)))
    for numbers, counts in zip(packed.numbers.tolist(), packed.counts.tolist(), strict=True):
        pairs = sorted((z, n) for z, n in zip(numbers, counts, strict=True) if n)
        if len(pairs) in {2, 3}:
            systems[tuple(z for z, _ in pairs)].append(tuple(n for _, n in pairs))
    scores: dict[int, list[float]] = {2: [], 3: []}
    missing = 0
    for done, (elements, known) in enumerate(sorted(systems.items())):
        ranked = [tuple(row) for row in likely.of(elements).counts.tolist()]
        place = {row: i + 1 for i, row in enumerate(ranked)}
        places = np.array([place[row] for row in known if row in place], dtype=np.int64)
        missing += len(known) - len(places)
        if 0 < len(places) < len(ranked):
            scores[len(elements)].append(optimality(places, len(ranked)))
        report(STAGE, done + 1, len(systems), "systems")
    return {k: np.array(values) for k, values in scores.items()}, missing


def score_figures(scores: dict[int, Floats], seed: int) -> dict[str, Any]:
    """Mean, median and share above 0.9 of optimality scores, for binary, ternary and all."""
    both = np.concatenate([scores[2], scores[3]])
    named = {"binary": scores[2], "ternary": scores[3], "all": both}
    figures = {}
    for name, values in named.items():
        known = len(values) > 0
        figures[name] = {
            "n_systems": len(values),
            "mean": float(values.mean()) if known else None,
            "mean_interval": bootstrap_interval(values, seed=seed),
            "median": float(np.median(values)) if known else None,
            "above_0.9": float((values > 0.9).mean()) if known else None,
        }
    return figures
