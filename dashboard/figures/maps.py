"""Maps in the plane: points of families."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import plotly.graph_objects as go

from dashboard.figures.style import BAD, GOOD, INK, MUTED, SEQUENCE, WARN, styled

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

COLORS = (BAD, WARN, GOOD, *SEQUENCE[:3], MUTED)


def map_figure(
    points: Mapping[str, Any],
    title: str = "t-SNE of the last hidden layer",
    *,
    colors: Sequence[str] = COLORS,
    marked: str | None = None,
    size: float = 4,
) -> go.Figure:
    """Draw points, coloured by family.

    Parameters
    ----------
    points
        Columns ``x``, ``y``, ``family``, and the names of the ``families``.
    title
        What the layout is.
    colors
        Colours of the families, in turn.
    marked
        Family that is drawn with large diamonds.
    size
        Size of the other points.
    """
    x, y, family = (np.asarray(points[name]) for name in ("x", "y", "family"))
    diamond = {"color": INK, "size": 10, "symbol": "diamond"}
    figure = go.Figure(
        [
            go.Scatter(
                name=name,
                x=x[family == k].tolist(),
                y=y[family == k].tolist(),
                mode="markers",
                marker=diamond
                if name == marked
                else {"color": colors[k % len(colors)], "size": size},
                hoverinfo="name",
            )
            for k, name in enumerate(points["families"])
            if (family == k).any()
        ]
    )
    styled(figure, height=480)
    figure.update_xaxes(showticklabels=False, title=title)
    figure.update_yaxes(showticklabels=False)
    return figure
