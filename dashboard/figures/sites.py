"""Which elements are alike to the site classifier, and how well its likelihoods rank."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import plotly.graph_objects as go

from dashboard.figures.style import ACCENT, BAD, GOOD, INK, MUTED, SEQUENCE, WARN, styled

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_COLORS = (BAD, ACCENT, GOOD, WARN, *SEQUENCE[1:3], MUTED)


def site_figures(plots: Mapping[str, Any]) -> dict[str, go.Figure]:
    """Draw what ``site_plots`` has collected: ``element_map``, ``ranks NAME``, ``optimality NAME``.

    The names are those of templates and score.
    """
    figures = {}
    if "element_map" in plots:
        figures["element_map"] = element_map_figure(plots["element_map"])
    for name, numbers in plots.get("ranks", {}).items():
        figures[f"ranks {name}"] = ranks_figure(numbers)
    for name, numbers in plots.get("optimality", {}).items():
        figures[f"optimality {name}"] = optimality_figure(numbers)
    return figures


def element_map_figure(points: Mapping[str, Any]) -> go.Figure:
    """Draw the map of the elements, coloured by family.

    Parameters
    ----------
    points
        Columns ``x``, ``y``, ``symbol``, ``family``, and the names of the ``families``.
    """
    x, y, symbol, family = (np.asarray(points[name]) for name in ("x", "y", "symbol", "family"))
    figure = go.Figure()
    for k, name in enumerate(points["families"]):
        chosen = family == k
        if chosen.any():
            figure.add_scatter(
                name=name,
                x=x[chosen].tolist(),
                y=y[chosen].tolist(),
                text=symbol[chosen].tolist(),
                mode="markers+text",
                textfont={"size": 9, "color": INK},
                marker={"color": _COLORS[k % len(_COLORS)], "size": 18, "opacity": 0.45},
                hoverinfo="name+text",
            )
    styled(figure, height=520)
    figure.update_xaxes(showticklabels=False, title="t-SNE of the weights of the last layer")
    figure.update_yaxes(showticklabels=False)
    return figure


def ranks_figure(numbers: Mapping[str, Sequence[float]]) -> go.Figure:
    """Draw at which rank the known crystal is: columns ``rank``, ``share`` and ``cumulative``."""
    rank = list(numbers["rank"])
    line = {"color": BAD, "width": 1.5}
    sums = list(numbers["cumulative"])
    figure = go.Figure(
        [
            go.Bar(name="this rank", x=rank, y=list(numbers["share"]), marker_color=ACCENT),
            go.Scatter(name="or a better one", x=rank, y=sums, mode="lines", line=line),
        ]
    )
    styled(figure, height=320)
    figure.update_xaxes(title="rank of the known crystal")
    figure.update_yaxes(title="share of the crystals", range=[0, 1])
    return figure


def optimality_figure(numbers: Mapping[str, Sequence[float]]) -> go.Figure:
    """Draw how optimality scores are spread: ``score`` and a column for each kind of system."""
    score = list(numbers["score"])
    figure = go.Figure()
    for k, name in enumerate(name for name in numbers if name != "score"):
        line = {"color": SEQUENCE[k], "width": 1.5}
        figure.add_scatter(name=name, x=score, y=list(numbers[name]), mode="lines", line=line)
    styled(figure, height=320)
    figure.update_xaxes(title="optimality score")
    figure.update_yaxes(title="share of the chemical systems", rangemode="tozero")
    return figure
