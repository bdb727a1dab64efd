"""What a model has learned and how good it is, drawn from its card alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import plotly.graph_objects as go

from dashboard.figures.generators import generator_figures
from dashboard.figures.maps import map_figure
from dashboard.figures.parity import parity_figure
from dashboard.figures.sites import site_figures
from dashboard.figures.style import ACCENT, BAD, GOOD, GRID, INK, MUTED, styled

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

WATCHED = {
    "compositions": "held-out formulas, nats",
    "matgan": "share of valid samples at the noise of training",
    "mlp": "error on other formulas, eV/atom",
    "roost": "error on other formulas, eV/atom",
    "symmetry": "Bravais class out of fold, nats",
}
"""What the metric of a training curve is, by the name of the network."""

BARS = {
    "elements": ("element", "share of the formulas with it"),
    "amounts": ("atoms of one element", "share of all amounts"),
    "n_elements": ("elements in a formula", "share of the formulas"),
}
"""Axes of the frequencies of a generator."""


MANY = 20
"""From here on, labels of bars are small and upright."""

CAPTIONS = {
    "elements": "Elements of samples before any filter, and of held-out formulas",
    "amounts": "Atoms of each element, likewise",
    "n_elements": "Number of elements, likewise",
    "parity": "Formation energies of formulas that the model had not seen",
    "calibration": "How often the truth lies within the interval",
    "confusion": "Bravais classes of formulas that the model had not seen: counts, shaded by row",
    "map": "Compounds as the network sees them, by their most electronegative element",
    "element_map": "Elements as the site classifier sees them",
    "ranks": "Rank of the known crystal among candidates with its composition",
    "optimality": "How early known compositions come in their chemical systems",
    "samples": "Share of the formulas whose known crystal is found, by number of structures",
    "minima": "Relaxed structures, by energy above the known crystal",
    "displacements": "Converged structures, by how far their atoms moved",
    "landscape": "Crystals of one formula by their geometry, before relaxation",
    "training": "Training curves",
}
"""What a figure shows, by the first word of its name."""


def caption(name: str) -> str:
    """Say what the figure `name` of `model_figures` shows."""
    kind, _, detail = name.partition(" ")
    return f"{CAPTIONS[kind]} ({detail})" if detail else CAPTIONS[kind]


def model_figures(
    plots: Mapping[str, Any], history: Mapping[str, Mapping[str, Sequence[float]]] | None = None
) -> dict[str, go.Figure]:
    """Draw all figures that there are numbers for.

    Parameters
    ----------
    plots
        `Card.plots`, or ``plots`` of ``screening evaluate``.
    history
        `Card.history`.

    Returns
    -------
    Figures by a name that is fit for a file: ``elements``, ``amounts``, ``n_elements``; ``parity
    NAME`` and ``calibration NAME`` for each set of energies; ``confusion``; ``map``; those of
    `site_figures` and `generator_figures`; and ``training NAME`` for each kind of network.
    """
    figures = {name: bars_figure(plots[name], *BARS[name]) for name in BARS if name in plots}
    for name, numbers in plots.items():
        if isinstance(numbers, dict) and "parity" in numbers:
            parity = numbers["parity"]
            figures[f"parity {name}"] = parity_figure(
                parity["computed"], parity["predicted"], parity["formula"], f"the data ({name})"
            )
            figures[f"calibration {name}"] = calibration_figure(numbers["calibration"])
    if "confusion" in plots:
        figures["confusion"] = confusion_figure(plots["confusion"])
    if "map" in plots:
        figures["map"] = map_figure(plots["map"])
    figures |= site_figures(plots) | generator_figures(plots)
    kinds: dict[str, dict[str, Mapping[str, Sequence[float]]]] = {}
    for name, curve in (history or {}).items():
        if any(curve.values()):
            kinds.setdefault(name.split(" ")[0], {})[name] = curve
    return figures | {
        f"training {kind}": training_figure(curves, WATCHED.get(kind, "metric"))
        for kind, curves in kinds.items()
    }


def bars_figure(numbers: Mapping[str, Sequence[Any]], label: str, share: str) -> go.Figure:
    """Compare shares of samples (bars) and data (points).

    Parameters
    ----------
    numbers
        Columns ``label``, ``samples`` and ``data``.
    label, share
        Titles of the axes.
    """
    labels = [str(each) for each in numbers["label"]]
    samples, data = list(numbers["samples"]), list(numbers["data"])
    marker = {"color": INK, "size": 6}
    figure = go.Figure(
        [
            go.Bar(name="samples", x=labels, y=samples, marker_color=ACCENT, opacity=0.6),
            go.Scatter(name="held-out data", x=labels, y=data, mode="markers", marker=marker),
        ]
    )
    styled(figure, height=300)
    figure.update_xaxes(title=label, type="category")
    if len(labels) > MANY:
        figure.update_xaxes(tickangle=-90, tickfont={"size": 9})
    figure.update_yaxes(title=share, rangemode="tozero")
    return figure


def calibration_figure(calibration: Mapping[str, Any]) -> go.Figure:
    """Compare how often the truth lies within an interval with how often it should.

    Parameters
    ----------
    calibration
        ``nominal``, ``observed`` (columns) and ``observed90``; see `energy_plots`.
    """
    ideal = {"color": MUTED, "dash": "dot"}
    diamond = {"color": BAD, "size": 11, "symbol": "diamond"}
    figure = go.Figure(
        [
            go.Scatter(x=[0, 1], y=[0, 1], mode="lines", line=ideal, showlegend=False),
            go.Scatter(
                name="mean ± standard deviations",
                x=list(calibration["nominal"]),
                y=list(calibration["observed"]),
                mode="lines+markers",
                marker={"color": ACCENT, "size": 6},
                line={"color": ACCENT},
            ),
            go.Scatter(
                name="90 % interval",
                x=[0.9],
                y=[calibration["observed90"]],
                mode="markers",
                marker=diamond,
            ),
        ]
    )
    styled(figure, height=360)
    figure.update_xaxes(title="nominal coverage", range=[0, 1])
    figure.update_yaxes(title="observed coverage", range=[0, 1])
    return figure


def confusion_figure(confusion: Mapping[str, Any]) -> go.Figure:
    """Draw which Bravais class is taken for which: shares of each true class, with the counts.

    Parameters
    ----------
    confusion
        ``classes`` and ``counts`` (rows are true classes).
    """
    counts = np.asarray(confusion["counts"], dtype=np.float64)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    names = list(confusion["classes"])
    figure = go.Figure(
        go.Heatmap(
            x=names,
            y=names,
            z=shares.round(3).tolist(),
            text=[[f"{n:.0f}" if n else "" for n in row] for row in counts],
            texttemplate="%{text}",
            colorscale=[[0, "#ffffff"], [1, ACCENT]],
            zmin=0,
            zmax=1,
            showscale=False,
            hovertemplate="%{y}, predicted %{x}: %{z:.0%}<extra></extra>",
        )
    )
    styled(figure, height=520)
    figure.update_xaxes(title="predicted", tickangle=-45)
    figure.update_yaxes(title="true", autorange="reversed")
    figure.update_layout(margin={"l": 120, "b": 110})
    return figure


def training_figure(curves: Mapping[str, Mapping[str, Sequence[float]]], watched: str) -> go.Figure:
    """Draw the loss, and what was watched, of networks of one kind.

    Parameters
    ----------
    curves
        Columns of each network, as `Card.history` has them.
    watched
        What the metric is.
    """
    unit = "step" if any("step" in curve for curve in curves.values()) else "epoch"
    figure = go.Figure()
    for key, axis, color in (("loss", "y", ACCENT), ("metric", "y2", GOOD)):
        shown = [curve for curve in curves.values() if curve.get(key)]
        for i, curve in enumerate(shown):
            figure.add_scatter(
                name=key if key == "loss" else watched,
                x=list(curve[unit]),
                y=list(curve[key]),
                mode="lines",
                line={"color": color, "width": 1.5},
                yaxis=axis,
                showlegend=i == 0,
            )
    styled(figure, height=320)
    figure.update_xaxes(title=unit)
    figure.update_layout(
        yaxis={"title": "training loss"},
        yaxis2={"title": watched, "overlaying": "y", "side": "right", "gridcolor": GRID},
        margin={"r": 60},
    )
    return figure
