"""Contact maps of some crystals side by side: true, predicted, and of the crystal rebuilt."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from screening.elements import symbols

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

COLUMNS = ("true", "predicted", "reconstructed")
_SIDE, _DPI = 2.4, 110


def draw_maps(path: Path, maps: Sequence[Mapping[str, Any]]) -> Path:
    """Draw a row for each crystal.

    Parameters
    ----------
    path
        The PNG file.
    maps
        ``formula``, ``atoms`` (atomic numbers) and `COLUMNS`, contacts or their probabilities.
    """
    size = (_SIDE * len(COLUMNS), _SIDE * len(maps))
    figure = Figure(figsize=size, dpi=_DPI, layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.subplots(len(maps), len(COLUMNS), squeeze=False)
    for row, crystal in zip(grid, maps, strict=True):
        labels = [symbols()[z] for z in crystal["atoms"]]
        for axes, name in zip(row, COLUMNS, strict=True):
            axes.imshow(crystal[name], vmin=0, vmax=1, cmap="Blues")
            axes.set_title(f"{crystal['formula']}, {name}", fontsize=8)
            axes.set_xticks(range(len(labels)), labels, fontsize=6)
            axes.set_yticks(range(len(labels)), labels, fontsize=6)
    figure.savefig(path, metadata={"Software": None})
    return path
