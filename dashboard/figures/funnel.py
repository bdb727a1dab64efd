"""How many items each stage let through."""

from __future__ import annotations

from typing import TYPE_CHECKING

import plotly.graph_objects as go

from dashboard.figures.style import ACCENT, GRID, styled

if TYPE_CHECKING:
    from collections.abc import Mapping

    from screening.schemas import FunnelStage


def funnel_figure(funnel: Mapping[str, FunnelStage]) -> go.Figure:
    """Draw what entered and what left each stage, on a logarithmic axis.

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
            go.Bar(y=names, x=n_in, orientation="h", name="entered", marker_color=GRID, width=0.7),
            go.Bar(
                y=names,
                x=n_out,
                orientation="h",
                name="passed on",
                marker_color=ACCENT,
                width=0.45,
                text=[f"{n:,}" for n in n_out],
                textposition="outside",
                cliponaxis=False,
            ),
        ]
    )
    styled(figure, height=70 + 46 * max(len(names), 1), barmode="overlay")
    figure.update_yaxes(autorange="reversed", showgrid=False)
    figure.update_xaxes(type="log", title="items", dtick=1)
    figure.update_layout(margin={"l": 170, "r": 60, "t": 30, "b": 45})
    return figure
