"""Convex hulls: two components as a curve, three as a triangle, more as distances."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import plotly.graph_objects as go
from scipy.spatial import ConvexHull

from dashboard.figures.style import ACCENT, BAD, GOOD, MUTED, styled

if TYPE_CHECKING:
    from screening.schemas import HullDoc, HullEntry

ON_HULL = 1e-6
"""Entries up to this far above (eV/atom) are on the hull."""
SCALE = [[0, GOOD], [0.5, "#d9b44a"], [1, BAD]]
PLACES = ("top center", "bottom center", "middle right", "middle left")
"""Labels go round, so that neighbours do not cover each other."""
MARKS = {"candidate": "circle", "competing": "square", "element": "diamond", "imported": "square"}


def hull_figure(hull: HullDoc, *, max_above_hull: float = 0.3) -> go.Figure:
    """Draw a hull.

    Parameters
    ----------
    hull
        The hull.
    max_above_hull
        Entries farther above (eV/atom) are left out, as are those whose energy is not trusted.
    """
    elements = hull.chemsys.split("-")
    shown = [
        entry
        for entry in hull.entries
        if entry.outlier is None and entry.energy_above_hull <= max_above_hull
    ]
    if len(elements) == 2:
        return _binary(hull, shown, elements)
    if len(elements) == 3:
        return _ternary(hull, shown, elements)
    return _distances(shown)


def _on_hull(entry: HullEntry) -> bool:
    """Whether an entry shapes the hull; the distance of an outlier may be negative."""
    return entry.outlier is None and entry.energy_above_hull <= ON_HULL


def _fraction(entry: HullEntry, element: str) -> float:
    return entry.composition.get(element, 0.0) / sum(entry.composition.values())


def _label(entry: HullEntry) -> str:
    """Name stable compounds; the corners have their names already."""
    named = _on_hull(entry) and len(entry.composition) > 1
    return entry.formula if named else ""


def _text(entry: HullEntry) -> str:
    return (
        f"<b>{entry.formula}</b> ({entry.role})<br>"
        f"{entry.energy_above_hull * 1000:.0f} meV/atom above the hull<br>"
        f"formation energy {entry.formation_energy_per_atom:.3f} eV/atom"
    )


def _binary(hull: HullDoc, shown: list[HullEntry], elements: list[str]) -> go.Figure:
    stable = sorted(
        filter(_on_hull, hull.entries),
        key=lambda entry: _fraction(entry, elements[1]),
    )
    figure = go.Figure(
        go.Scatter(
            x=[_fraction(entry, elements[1]) for entry in stable],
            y=[entry.formation_energy_per_atom for entry in stable],
            mode="lines",
            line={"color": MUTED},
            hoverinfo="skip",
            showlegend=False,
        )
    )
    for role, symbol in MARKS.items():
        group = [entry for entry in shown if entry.role == role]
        if group:
            figure.add_scatter(
                x=[_fraction(entry, elements[1]) for entry in group],
                y=[entry.formation_energy_per_atom for entry in group],
                mode="markers+text",
                name=role,
                marker=_marker(group, symbol, first=not figure.data[1:]),
                text=[_label(entry) for entry in group],
                textposition="bottom center",
                textfont={"size": 11},
                cliponaxis=False,
                customdata=[_text(entry) for entry in group],
                hovertemplate="%{customdata}<extra></extra>",
            )
    styled(figure, height=420)
    figure.update_xaxes(title=f"fraction of {elements[1]}", range=[-0.02, 1.02])
    figure.update_yaxes(title="formation energy (eV/atom)")
    return figure


def _ternary(hull: HullDoc, shown: list[HullEntry], elements: list[str]) -> go.Figure:
    figure = go.Figure()
    by_id = {entry.entry_id: entry for entry in hull.entries}
    for first, second in sorted(_tie_lines(hull, elements)):
        ends = [by_id[first], by_id[second]]
        figure.add_scatterternary(
            **{
                axis: [_fraction(end, el) for end in ends]
                for axis, el in zip("abc", elements, strict=True)
            },
            mode="lines",
            line={"color": "#b8c4d0", "width": 1},
            hoverinfo="skip",
            showlegend=False,
        )
    shown_roles = [role for role in MARKS if any(entry.role == role for entry in shown)]
    for role, symbol in MARKS.items():
        group = sorted(
            (entry for entry in shown if entry.role == role), key=lambda e: -e.energy_above_hull
        )
        if group:
            figure.add_scatterternary(
                **{
                    axis: [_fraction(e, el) for e in group]
                    for axis, el in zip("abc", elements, strict=True)
                },
                mode="markers+text",
                name=role,
                marker=_marker(group, symbol, first=role == shown_roles[0]),
                text=[_label(entry) for entry in group],
                textposition=[PLACES[i % len(PLACES)] for i in range(len(group))],
                cliponaxis=False,
                textfont={"size": 11},
                customdata=[_text(entry) for entry in group],
                hovertemplate="%{customdata}<extra></extra>",
            )
    styled(figure, height=520)
    axis = {"showticklabels": False, "ticks": "", "gridcolor": "white", "linecolor": MUTED}
    figure.update_layout(
        ternary={
            "bgcolor": "white",
            **{
                f"{name}axis": {**axis, "title": {"text": el}}
                for name, el in zip("abc", elements, strict=True)
            },
        }
    )
    return figure


def _tie_lines(hull: HullDoc, elements: list[str]) -> set[tuple[str, str]]:
    """Pairs of stable phases that are joined by an edge of the lower hull."""
    stable = list(filter(_on_hull, hull.entries))
    points = [
        [*(_fraction(entry, el) for el in elements[1:]), entry.formation_energy_per_atom]
        for entry in stable
    ]
    top = [1 / 3, 1 / 3, 1.0 + max(point[-1] for point in points)]  # closes the hull above
    found = ConvexHull(np.array([*points, top]))
    pairs: set[tuple[str, str]] = set()
    for corners, equation in zip(found.simplices, found.equations, strict=True):
        if equation[-2] < -1e-9 and len(stable) not in corners:
            names = sorted(stable[corner].entry_id for corner in corners)
            pairs |= {(a, b) for i, a in enumerate(names) for b in names[i + 1 :]}
    return pairs


def _distances(shown: list[HullEntry]) -> go.Figure:
    rows = sorted(shown, key=lambda entry: entry.energy_above_hull)[:40]
    figure = go.Figure(
        go.Bar(
            x=list(range(len(rows))),  # a formula may have several crystals
            y=[entry.energy_above_hull for entry in rows],
            marker_color=ACCENT,
            text=[_text(entry) for entry in rows],
            textposition="none",
            hovertemplate="%{text}<extra></extra>",
        )
    )
    styled(figure, height=420)
    names = [entry.formula for entry in rows]
    figure.update_xaxes(tickvals=list(range(len(rows))), ticktext=names)
    figure.update_yaxes(title="energy above the hull (eV/atom)")
    return figure


def _marker(group: list[HullEntry], symbol: str, *, first: bool) -> dict[str, object]:
    return {
        "symbol": symbol,
        "size": [13 if _on_hull(entry) else 9 for entry in group],
        "color": [entry.energy_above_hull * 1000 for entry in group],
        "cmin": 0,
        "cmax": 150,
        "colorscale": SCALE,
        "showscale": first,
        "colorbar": {"title": {"text": "meV/atom<br>above hull"}, "thickness": 12, "len": 0.6},
        "line": {"color": "white", "width": 1},
    }
