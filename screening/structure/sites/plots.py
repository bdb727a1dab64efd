"""Figures of ``screening evaluate site-likelihood --set plots=FOLDER``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from screening.elements import column, symbols

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from screening.structure.sites.likelihood import SiteLikelihood

Floats = NDArray[np.float64]
PERPLEXITY = 12
"""As in figure 5 of the paper."""
LONGEST = 50
"""Ranks beyond this share one bar."""
_SIZE = (7.0, 5.0)


def draw_all(
    folder: Path,
    model: SiteLikelihood,
    elements: NDArray[np.int64],
    drawn: Mapping[str, Mapping[Any, tuple[Floats, dict[int, Floats]]]],
    seed: int,
) -> list[Path]:
    """Write the map of the elements and, for each choice of templates and score, two histograms.

    Parameters
    ----------
    folder
        Made if needed.
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
    The files.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / "elements.png"]
    draw_elements(paths[0], element_map(model, elements, seed), elements)
    for templates, by_score in drawn.items():
        for score, (ranks, scores) in by_score.items():
            paths.append(folder / f"ranks-{templates}-{score}.png")
            draw_ranks(paths[-1], ranks)
            paths.append(folder / f"optimality-{templates}-{score}.png")
            draw_optimality(paths[-1], scores)
    return paths


def element_map(model: SiteLikelihood, elements: NDArray[np.int64], seed: int) -> Floats:
    """Lay elements out by the weights of the site classifier's last layer with t-SNE, ``(n, 2)``.

    van der Maaten & Hinton 2008, https://jmlr.org/papers/v9/vandermaaten08a.html.
    """
    from sklearn.manifold import TSNE

    weights = model.element_weights()[elements]
    perplexity = min(PERPLEXITY, max(1, (len(elements) - 1) / 3))
    tsne = TSNE(perplexity=perplexity, metric="cosine", init="random", random_state=seed)
    places: Floats = tsne.fit_transform(weights)
    return places


def draw_elements(path: Path, places: Floats, elements: NDArray[np.int64]) -> None:
    """Draw the map, coloured by group of the periodic table (f elements are grey)."""
    groups = column("group")[elements]
    grey = np.isin(elements, range(57, 71)) | np.isin(elements, range(89, 103))
    figure, axes = _axes()
    axes.scatter(*places[grey].T, s=140, color="0.8")
    points = axes.scatter(*places[~grey].T, c=groups[~grey], s=140, cmap="turbo", alpha=0.5)
    for (x, y), z in zip(places, elements.tolist(), strict=True):
        axes.annotate(symbols()[z], (x, y), ha="center", va="center", fontsize=7)
    figure.colorbar(points, label="group (grey: f elements)")
    axes.set(xticks=[], yticks=[], title="Site classifier, weights of the elements (t-SNE)")
    _save(figure, path)


def draw_ranks(path: Path, ranks: Floats) -> None:
    """Draw the distribution of ranks (test 1) and its sum, as shares of all crystals."""
    figure, axes = _axes()
    bins = np.arange(1, LONGEST + 2)
    shares = np.histogram(np.floor(ranks[ranks <= LONGEST]), bins)[0] / max(1, len(ranks))
    axes.bar(bins[:-1], shares, label="this rank")
    axes.step(bins[:-1], np.cumsum(shares), color="firebrick", where="mid", label="or better")
    axes.set(xlabel="rank of the known crystal", ylabel="share of crystals", ylim=(0, 1))
    axes.legend()
    _save(figure, path)


def draw_optimality(path: Path, scores: Mapping[int, Floats]) -> None:
    """Draw the distribution of optimality scores (test 2)."""
    figure, axes = _axes()
    names = {2: "binary", 3: "ternary"}
    labels = [f"{names[k]} ({len(values)})" for k, values in scores.items()]
    bins = np.linspace(-1, 1, 41).tolist()
    axes.hist(list(scores.values()), bins=bins, stacked=True, label=labels)
    axes.set(xlabel="optimality score", ylabel="chemical systems")
    axes.legend()
    _save(figure, path)


def _axes() -> tuple[Any, Any]:
    """Make a figure that needs no display."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=_SIZE, layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.subplots()


def _save(figure: Any, path: Path) -> None:
    figure.savefig(path, dpi=150)
