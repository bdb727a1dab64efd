"""A crystal as balls, bonds and its cell."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
import plotly.graph_objects as go
from ase.data.colors import jmol_colors

from dashboard.figures.style import MUTED, styled
from screening.elements import atomic_number, column

if TYPE_CHECKING:
    from pymatgen.core import Structure

BOND = 1.25
"""Bonds are drawn up to this times the sum of the covalent radii."""
_EDGES = [
    (a, b)
    for a, b in product(product((0, 1), repeat=3), repeat=2)
    if sum(x != y for x, y in zip(a, b, strict=True)) == 1 and a < b
]


def structure_figure(structure: Structure, *, height: int = 380) -> go.Figure:
    """Draw the conventional look of a cell: atoms on faces and corners are repeated.

    Parameters
    ----------
    structure
        An ordered structure.
    height
        Height of the figure (pixels).
    """
    symbols, positions = _atoms(structure)
    radii = np.array([_radius(symbol) for symbol in symbols])
    figure = go.Figure()
    _add_lines(figure, _cell(structure), MUTED, 2)
    _add_lines(figure, _bonds(positions, radii, symbols), "#9aa7b4", 5)
    for symbol in sorted(set(symbols)):
        mine = [i for i, name in enumerate(symbols) if name == symbol]
        figure.add_scatter3d(
            x=positions[mine, 0],
            y=positions[mine, 1],
            z=positions[mine, 2],
            mode="markers",
            name=symbol,
            marker={
                "size": 9 + 11 * _radius(symbol),
                "color": _color(symbol),
                "line": {"color": "#333", "width": 1},
                "opacity": 1,
            },
            hovertemplate=f"{symbol}<extra></extra>",
        )
    hidden = {"visible": False}
    styled(figure, height=height)
    figure.update_layout(
        scene={
            "xaxis": hidden,
            "yaxis": hidden,
            "zaxis": hidden,
            "aspectmode": "data",
            "camera": {
                "eye": {"x": 1.1, "y": 1.5, "z": 0.6},
                "projection": {"type": "orthographic"},
            },
        },
        margin={"l": 0, "r": 0, "t": 10, "b": 0},
    )
    return figure


def _atoms(structure: Structure) -> tuple[list[str], np.ndarray[Any, Any]]:
    """Return the atoms of the cell, with copies of those on its boundary; Cartesian (Angstrom)."""
    symbols, positions = [], []
    for site in structure:
        inside = site.frac_coords % 1.0
        inside[inside > 1 - 1e-3] = 0.0
        shifts = [(0, 1) if value < 1e-3 else (0,) for value in inside]
        for shift in product(*shifts):
            symbols.append(site.specie.symbol)
            positions.append((inside + shift) @ structure.lattice.matrix)
    return symbols, np.array(positions)


def _radius(symbol: str) -> float:
    radius = float(column("covalent_radius")[atomic_number(symbol)])
    return radius if np.isfinite(radius) else 1.5


def _color(symbol: str) -> str:
    red, green, blue = (int(255 * value) for value in jmol_colors[atomic_number(symbol)])
    return f"rgb({red},{green},{blue})"


def _cell(structure: Structure) -> list[tuple[Any, Any]]:
    matrix = structure.lattice.matrix
    return [(np.array(a) @ matrix, np.array(b) @ matrix) for a, b in _EDGES]


def _bonds(positions: Any, radii: Any, symbols: list[str]) -> list[tuple[Any, Any]]:
    """Find neighbours; pairs of metals are not joined when there is a non-metal."""
    metal = np.array([column("is_metal")[atomic_number(symbol)] == 1 for symbol in symbols])
    distances = np.linalg.norm(positions[:, None] - positions[None], axis=-1)
    near = (distances < BOND * (radii[:, None] + radii[None])) & (distances > 0.1)
    if not metal.all():
        near &= ~(metal[:, None] & metal[None])
    return [(positions[i], positions[j]) for i, j in np.argwhere(np.triu(near))]


def _add_lines(figure: go.Figure, lines: list[tuple[Any, Any]], color: str, width: int) -> None:
    gap = np.full(3, np.nan)
    points = np.array([point for a, b in lines for point in (a, b, gap)]).reshape(-1, 3)
    figure.add_scatter3d(
        x=points[:, 0],
        y=points[:, 1],
        z=points[:, 2],
        mode="lines",
        line={"color": color, "width": width},
        hoverinfo="skip",
        showlegend=False,
    )
