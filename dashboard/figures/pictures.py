"""Figures as PNG files and SVG without a browser: the same traces, drawn by matplotlib.

Knows what the figures of models are made of: lines, points, bars and heat maps on one pair of axes,
with a second scale on the right if a trace asks for it.
"""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Any

from matplotlib import rc_context
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from dashboard.figures.style import GRID, INK, MUTED

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import plotly.graph_objects as go
    from matplotlib.axes import Axes

WIDTH, DPI, PIXELS = 760, 110, 96
"""Width in CSS pixels, resolution of the file, and CSS pixels in an inch."""

UPRIGHT = -90
"""Angle of tick labels that are drawn from bottom to top."""

DASHES = {"dot": ":", "dash": "--", None: "-"}
MARKERS = {"diamond": "D"}


def write_pngs(figures: Mapping[str, go.Figure], folder: Path) -> list[Path]:
    """Write each figure to ``folder/NAME.png``, spaces in names as dashes; returns the files."""
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for name, figure in figures.items():
        files.append(folder / f"{name.replace(' ', '-')}.png")
        _draw(figure).savefig(files[-1], metadata={"Software": None})
    return files


def svg(figure: go.Figure) -> bytes:
    """Draw one figure as SVG, the same bytes each time; letters stay text."""
    buffer = BytesIO()
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "figure"}):
        _draw(figure).savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return buffer.getvalue()


def _draw(figure: go.Figure) -> Figure:
    layout = figure.layout
    size = (WIDTH / PIXELS, (layout.height or 400) / PIXELS)
    canvas = Figure(figsize=size, dpi=DPI, layout="constrained")
    FigureCanvasAgg(canvas)
    left = canvas.add_subplot()
    axes = {"y": left}
    if any(trace.type == "scatter" and trace.yaxis == "y2" for trace in figure.data):
        axes["y2"] = left.twinx()
    for trace in figure.data:
        _DRAW[trace.type](axes.get(getattr(trace, "yaxis", None) or "y", left), trace)
    _set_axes(left, layout)
    if "y2" in axes:
        axes["y2"].set_ylabel(layout.yaxis2.title.text or "")
    shown = [
        pair for ax in axes.values() for pair in zip(*ax.get_legend_handles_labels(), strict=True)
    ]
    if shown:
        handles, names = zip(*shown, strict=True)
        canvas.legend(handles, names, loc="outside upper left", ncols=4, frameon=False, fontsize=9)
    return canvas


def _name(trace: Any) -> str | None:
    """Name for the legend; a leading underscore hides it."""
    return trace.name if trace.name and trace.showlegend is not False else None


def _scatter(ax: Axes, trace: Any) -> None:
    mode = trace.mode or "lines"
    lines, points = "lines" in mode, "markers" in mode
    ax.plot(
        list(trace.x),
        list(trace.y),
        linestyle=DASHES.get(trace.line.dash, "-") if lines else "none",
        linewidth=trace.line.width or 1.5,
        marker=MARKERS.get(trace.marker.symbol, "o") if points else None,
        markersize=0.7 * (trace.marker.size or 6),
        markeredgewidth=0,
        color=(trace.marker.color if points else trace.line.color) or INK,
        alpha=trace.marker.opacity,
        label=_name(trace),
    )
    if "text" in mode:
        size = 0.75 * (trace.textfont.size or 12)
        for x, y, text in zip(trace.x, trace.y, trace.text, strict=True):
            ax.annotate(text, (x, y), ha="center", va="center", fontsize=size, color=INK)


def _bar(ax: Axes, trace: Any) -> None:
    ax.margins(x=0.01)
    ax.bar(
        list(trace.x),
        list(trace.y),
        color=trace.marker.color,
        alpha=trace.opacity or 1.0,
        label=_name(trace),
    )


def _heatmap(ax: Axes, trace: Any) -> None:
    colors = LinearSegmentedColormap.from_list("scale", [each[1] for each in trace.colorscale])
    ax.imshow(trace.z, cmap=colors, vmin=trace.zmin, vmax=trace.zmax, aspect="auto")
    ax.set_xticks(range(len(trace.x)), list(trace.x), rotation=45, ha="right")
    ax.set_yticks(range(len(trace.y)), list(trace.y))
    for i, row in enumerate(trace.text):
        for j, text in enumerate(row):
            ax.text(j, i, text, ha="center", va="center", fontsize=7, color=INK)
    ax.grid(visible=False)


_DRAW = {"scatter": _scatter, "bar": _bar, "heatmap": _heatmap}


def _set_axes(ax: Axes, layout: Any) -> None:
    """Titles, ranges, ticks and a light grid."""
    for axis, options in ((ax.xaxis, layout.xaxis), (ax.yaxis, layout.yaxis)):
        axis.set_label_text(options.title.text or "")
        if options.showticklabels is False:
            axis.set_ticks([])
        if options.tickfont.size:
            axis.set_tick_params(labelsize=0.6 * options.tickfont.size)
        if options.tickangle == UPRIGHT:
            axis.set_tick_params(labelrotation=90)
    if layout.xaxis.range:
        ax.set_xlim(layout.xaxis.range)
    if layout.yaxis.range:
        ax.set_ylim(layout.yaxis.range)
    if not ax.images:
        ax.grid(visible=True, color=GRID)
    ax.set_axisbelow(True)
    for spine in ax.spines.values():
        spine.set_color(MUTED)
