"""Phonon bands and density of states."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from dashboard.figures.style import ACCENT, BAD, MUTED, styled

if TYPE_CHECKING:
    from screening.schemas import PhononDoc


def phonon_figure(phonon: PhononDoc) -> go.Figure | None:
    """Draw bands and DOS; imaginary modes are negative and red. None without bands."""
    if not phonon.bands:
        return None
    figure = make_subplots(
        cols=2, shared_yaxes=True, column_widths=[0.78, 0.22], horizontal_spacing=0.02
    )
    bands = phonon.bands
    _draw_bands(figure, np.asarray(bands["distances"]), np.asarray(bands["frequencies"]))
    for tick in bands["ticks"]:
        figure.add_vline(x=float(tick), line={"color": MUTED, "width": 0.7}, row=1, col=1)
    if phonon.dos:
        figure.add_trace(
            go.Scatter(
                x=np.asarray(phonon.dos["densities"]),
                y=np.asarray(phonon.dos["frequencies"]),
                mode="lines",
                line={"color": ACCENT, "width": 1.5},
                fill="tozerox",
                hoverinfo="skip",
            ),
            row=1,
            col=2,
        )
    styled(figure, showlegend=False)
    figure.add_hline(y=0, line={"color": MUTED, "width": 1})
    figure.update_xaxes(
        tickvals=[float(tick) for tick in bands["ticks"]],
        ticktext=[_label(label) for label in bands["labels"]],
        showgrid=False,
        row=1,
        col=1,
    )
    figure.update_xaxes(title="DOS", showticklabels=False, row=1, col=2)
    figure.update_yaxes(title="frequency (THz)", row=1, col=1)
    return figure


def _draw_bands(figure: go.Figure, distances: Any, frequencies: Any) -> None:
    """Add every branch once in blue, and its imaginary part in red."""
    for color, width, values in (
        (ACCENT, 1.2, frequencies),
        (BAD, 2.0, np.where(frequencies < 0, frequencies, np.nan)),
    ):
        if np.isnan(values).all():
            continue
        x = np.concatenate([distances, [np.nan]])
        branches = np.vstack([values, np.full((1, values.shape[1]), np.nan)])
        figure.add_trace(
            go.Scatter(
                x=np.tile(x, values.shape[1]),
                y=branches.T.ravel(),
                mode="lines",
                line={"color": color, "width": width},
                hovertemplate="%{y:.2f} THz<extra></extra>",
            ),
            row=1,
            col=1,
        )


def _label(label: str) -> str:
    return label.replace("GAMMA", "Γ").replace("$\\Gamma$", "Γ").replace("_", "")
