"""What flows where in a campaign."""

from __future__ import annotations

from typing import TYPE_CHECKING

import plotly.graph_objects as go

from dashboard.figures.style import ACCENT, GOOD, MUTED, SEQUENCE, styled

if TYPE_CHECKING:
    from dashboard.api.models import FlowDiagram

COLORS = {"start": SEQUENCE[2], "kept": ACCENT, "stopped": MUTED, "good": GOOD}
FAINT = "66"
"""Opacity of a flow, as the last digits of its colour."""


def flow_figure(diagram: FlowDiagram) -> go.Figure:
    """Draw a Sankey diagram; every flow has the colour of where it leads.

    Parameters
    ----------
    diagram
        Of `dashboard.api.flow`: `funnel_flow`, or a part of `get_flow`.
    """
    index = {node.id: i for i, node in enumerate(diagram.nodes)}
    colors = {node.id: COLORS[node.kind] for node in diagram.nodes}
    figure = go.Figure(
        go.Sankey(
            valueformat=",",
            node={
                "label": [f"{node.label} {node.n:,}" for node in diagram.nodes],
                "color": list(colors.values()),
                "align": "left",
                "thickness": 12,
                "pad": 18,
                "line": {"width": 0},
            },
            link={
                "source": [index[link.source] for link in diagram.links],
                "target": [index[link.target] for link in diagram.links],
                "value": [link.n for link in diagram.links],
                "color": [colors[link.target] + FAINT for link in diagram.links],
            },
        )
    )
    styled(figure, height=320)
    figure.update_layout(font_size=11.5, margin={"l": 10, "r": 10, "t": 30, "b": 20})
    return figure
