"""One look for all figures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import plotly.graph_objects as go

FONT = "system-ui, -apple-system, 'Segoe UI', sans-serif"
INK, MUTED, GRID = "#1b2733", "#667788", "#e3e8ee"
ACCENT, GOOD, BAD, WARN = "#1f6feb", "#1a7f5a", "#c0392b", "#d98a00"
SEQUENCE = ("#1f6feb", "#2b9aa0", "#7b61c9", "#d98a00", "#c0392b", "#5b7083")


def styled(figure: go.Figure, *, height: int = 380, **layout: Any) -> go.Figure:
    """Apply the common layout."""
    figure.update_layout(
        height=height,
        font={"family": FONT, "size": 13, "color": INK},
        paper_bgcolor="white",
        plot_bgcolor="white",
        margin={"l": 60, "r": 20, "t": 30, "b": 50},
        colorway=SEQUENCE,
        legend={"orientation": "h", "y": 1.08, "x": 0},
        **layout,
    )
    figure.update_xaxes(gridcolor=GRID, zerolinecolor=GRID, linecolor=MUTED, ticks="outside")
    figure.update_yaxes(gridcolor=GRID, zerolinecolor=GRID, linecolor=MUTED, ticks="outside")
    return figure
