"""Numbers behind the figures of the site likelihoods: a map of the elements and two tests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sklearn.manifold import TSNE

from screening.elements import column, symbols

if TYPE_CHECKING:
    from collections.abc import Mapping

    from screening.site_likelihood.likelihood import SiteLikelihood

Floats = NDArray[np.float64]
PERPLEXITY = 12
"""As in figure 5 of the paper (doi:10.1021/jacs.8b03913)."""
LONGEST = 50
"""Most ranks of a histogram."""
BINS = np.linspace(-1, 1, 41)
"""Edges of the histogram of optimality scores."""
BLOCKS = ("groups 1-2", "groups 3-12", "groups 13-15", "group 16", "group 17", "group 18", "f")
"""Families of elements on the map."""
_NAMES = {2: "binary", 3: "ternary"}


def site_plots(
    model: SiteLikelihood,
    elements: NDArray[np.int64],
    drawn: Mapping[str, Mapping[Any, tuple[Floats, dict[int, Floats]]]],
    seed: int,
) -> dict[str, Any]:
    """Collect what the figures need.

    Parameters
    ----------
    model
        The networks.
    elements
        Atomic numbers on the map, shape ``(n,)``.
    drawn
        Ranks and optimality scores by templates and score.
    seed
        Seed of the map.

    Returns
    -------
    ``element_map``: columns ``x``, ``y``, ``symbol``, ``family``, and the ``families``; ``ranks``
    and ``optimality``: columns of histograms by templates and score, as shares of all crystals and
    of the binary and ternary systems.
    """
    places = element_map(model, elements, seed)
    cases = [
        (f"{templates} {score}".replace("_", " "), ranks, scores)
        for templates, by_score in drawn.items()
        for score, (ranks, scores) in by_score.items()
    ]
    return {
        "element_map": {
            "x": places[:, 0].round(3).tolist(),
            "y": places[:, 1].round(3).tolist(),
            "symbol": [symbols()[z] for z in elements.tolist()],
            "family": families(elements).tolist(),
            "families": list(BLOCKS),
        },
        "ranks": {name: rank_histogram(ranks) for name, ranks, _ in cases},
        "optimality": {name: optimality_histogram(scores) for name, _, scores in cases},
    }


def element_map(model: SiteLikelihood, elements: NDArray[np.int64], seed: int) -> Floats:
    """Lay elements out by the weights of the site classifier's last layer with t-SNE, ``(n, 2)``.

    van der Maaten & Hinton 2008, https://jmlr.org/papers/v9/vandermaaten08a.html.
    """
    weights = model.element_weights()[elements]
    perplexity = min(PERPLEXITY, max(1, (len(elements) - 1) / 3))
    tsne = TSNE(perplexity=perplexity, metric="cosine", init="random", random_state=seed)
    places: Floats = tsne.fit_transform(weights).astype(np.float64)
    return places


def families(elements: NDArray[np.int64]) -> NDArray[np.int64]:
    """Find the number of the family in `BLOCKS` of each element, ``(n,)``."""
    block = np.searchsorted([2, 12, 15, 16, 17], column("group")[elements])
    is_f = np.isin(elements, range(57, 71)) | np.isin(elements, range(89, 103))
    chosen: NDArray[np.int64] = np.where(is_f, len(BLOCKS) - 1, block).astype(np.int64)
    return chosen


def rank_histogram(ranks: Floats) -> dict[str, list[float]]:
    """Shares of all crystals at each ``rank`` (test 1), and at this rank or a better one."""
    edges = np.arange(1, LONGEST + 2)
    shares = np.histogram(np.floor(ranks[ranks <= LONGEST]), edges)[0] / max(1, len(ranks))
    return {
        "rank": edges[:-1].tolist(),
        "share": shares.tolist(),
        "cumulative": np.cumsum(shares).tolist(),
    }


def optimality_histogram(scores: Mapping[int, Floats]) -> dict[str, list[float]]:
    """Shares of the systems of each number of elements by optimality ``score`` (test 2)."""
    return {"score": ((BINS[:-1] + BINS[1:]) / 2).round(3).tolist()} | {
        _NAMES.get(k, f"{k} elements"): (
            np.histogram(values, BINS)[0] / max(1, len(values))
        ).tolist()
        for k, values in scores.items()
    }
