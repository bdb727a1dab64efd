"""How good generated crystals are, and where they lie."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import plotly.graph_objects as go

from dashboard.figures.maps import COLORS, map_figure
from dashboard.figures.style import BAD, GOOD, INK, MUTED, SEQUENCE, WARN, styled

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

LINES = {
    "samples": ("structures of a formula", "share of the formulas found", None),
    "minima": ("energy above the known crystal, eV/atom", "share of all relaxed", (-0.1, 1.0)),
    "displacements": ("displacement, Å", "share of all relaxed", (0.0, 2.0)),
}
"""Titles of the axes, and the range of the first."""
LAYOUT = "t-SNE of mean distances to neighbours"
KNOWN = "known"
_COLORS = (*COLORS, "#8a5a2b")
_SIZE = 8
_ENERGIES = (GOOD, SEQUENCE[1], SEQUENCE[2], WARN, BAD, MUTED)


def generator_figures(plots: Mapping[str, Any]) -> dict[str, go.Figure]:
    """Draw what ``screening evaluate generators`` has collected: lines by method, and maps.

    The figures are ``samples``, ``minima``, ``displacements``, ``landscape methods`` and
    ``landscape energies``, as far as there are numbers.
    """
    figures = {name: lines_figure(plots[name], *LINES[name]) for name in LINES if name in plots}
    if "landscape" in plots:
        maps = plots["landscape"]
        figures["landscape methods"] = map_figure(
            maps["methods"], LAYOUT, colors=_COLORS, marked=KNOWN, size=_SIZE
        )
        figures["landscape energies"] = map_figure(
            maps["energies"], LAYOUT, colors=_ENERGIES, size=_SIZE
        )
    return figures


def lines_figure(
    methods: Mapping[str, Mapping[str, Sequence[float]]],
    label: str,
    share: str,
    span: tuple[float, float] | None,
) -> go.Figure:
    """Draw a line for each method: columns ``x`` and ``y``; colours are those of the map."""
    figure = go.Figure()
    names = [name for name in methods if name != KNOWN]
    colors = {name: _COLORS[k % len(_COLORS)] for k, name in enumerate(names)} | {KNOWN: INK}
    for name, numbers in methods.items():
        line = {"color": colors[name], "width": 1.5}
        figure.add_scatter(
            name=name, x=list(numbers["x"]), y=list(numbers["y"]), mode="lines", line=line
        )
    styled(figure, height=360)
    figure.update_xaxes(title=label, range=span)
    figure.update_yaxes(title=share, range=[0, 1])
    return figure
