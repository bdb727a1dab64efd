"""Predicted against computed formation energies."""

from __future__ import annotations

from typing import TYPE_CHECKING

import plotly.graph_objects as go

from dashboard.figures.style import ACCENT, MUTED, styled

if TYPE_CHECKING:
    from collections.abc import Sequence


MANY, LARGE, SMALL = 100, 9, 5
"""From how many points on they are small, and both sizes."""


def parity_figure(
    computed: Sequence[float], predicted: Sequence[float], labels: Sequence[str], engine: str
) -> go.Figure:
    """Compare the composition model with the relaxed structures.

    Parameters
    ----------
    computed
        Formation energies of the relaxed crystals (eV/atom).
    predicted
        What the composition model said (eV/atom).
    labels
        Formulas.
    engine
        Source of the computed energies.
    """
    values = [*computed, *predicted]
    low, high = (min(values) - 0.1, max(values) + 0.1) if values else (-1.0, 0.0)
    figure = go.Figure(
        [
            go.Scatter(
                x=[low, high],
                y=[low, high],
                mode="lines",
                line={"color": MUTED, "dash": "dot"},
                hoverinfo="skip",
                showlegend=False,
            ),
            go.Scatter(
                x=list(computed),
                y=list(predicted),
                text=list(labels),
                mode="markers",
                marker={"color": ACCENT, "size": SMALL if len(labels) > MANY else LARGE},
                hovertemplate="%{text}<br>%{x:.3f} / %{y:.3f} eV/atom<extra></extra>",
                showlegend=False,
            ),
        ]
    )
    styled(figure, height=360)
    figure.update_xaxes(title=f"formation energy by {engine} (eV/atom)", range=[low, high])
    figure.update_yaxes(title="predicted (eV/atom)", range=[low, high])
    return figure
