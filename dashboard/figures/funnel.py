"""How many items each stage let through."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import plotly.graph_objects as go

from dashboard.figures.style import ACCENT, GRID, styled

if TYPE_CHECKING:
    from collections.abc import Mapping

    from screening.schemas import FunnelStage


LEFT, NOTHING = 0.7, 0.74
"""Left end of the logarithmic axis, and where the bar of zero items ends."""


def funnel_figure(funnel: Mapping[str, FunnelStage]) -> go.Figure:
    """Draw what entered and what left each stage, on a logarithmic axis; zero is a thin bar.

    Parameters
    ----------
    funnel
        Counts per stage, in order.
    """
    names = [f"{name} ({stage.unit})" for name, stage in funnel.items()]
    n_in = [max(stage.n_in, stage.n_out) for stage in funnel.values()]
    n_out = [stage.n_out for stage in funnel.values()]
    figure = go.Figure(
        [
            go.Bar(
                name="entered",
                marker_color=GRID,
                width=0.7,
                **_bars(names, n_in),
            ),
            go.Bar(
                name="passed on",
                marker_color=ACCENT,
                width=0.45,
                text=[f"{n:,}" for n in n_out],
                textposition="outside",
                cliponaxis=False,
                **_bars(names, n_out),
            ),
        ]
    )
    styled(figure, height=80 + 46 * max(len(names), 1), barmode="overlay")
    figure.update_yaxes(autorange="reversed", showgrid=False)
    right = np.log10(max([10, *n_in]))
    span = [float(np.log10(LEFT)), float(right + 0.08 * (right - np.log10(LEFT)))]
    figure.update_xaxes(type="log", title="items", dtick=1, range=span)
    figure.update_layout(
        margin={"l": 170, "r": 60, "t": 40, "b": 45}, legend={"y": 1, "yanchor": "bottom"}
    )
    return figure


def _bars(names: list[str], numbers: list[int]) -> dict[str, Any]:
    """Place bars; the true numbers are the custom data."""
    return {
        "y": names,
        "x": [n or NOTHING for n in numbers],
        "customdata": numbers,
        "orientation": "h",
        "hovertemplate": "%{y}: %{customdata:,}",
    }
