"""Small line charts as SVG, drawn on the server: they need no scripts and print well."""

from __future__ import annotations

from typing import TYPE_CHECKING

from markupsafe import Markup

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dashboard.api.models import RelaxationPath

WIDTH, HEIGHT, LEFT, BOTTOM, PAD = 320, 170, 52, 24, 8


def relaxation_curves(path: RelaxationPath) -> Markup:
    """Draw energy, force and volume over the steps of a relaxation."""
    curves = (
        ("Energy, eV/atom", path.energy_per_atom),
        ("Largest force, eV/Å", path.fmax),
        ("Volume, Å³/atom", path.volume_per_atom),
    )
    return Markup('<div class="curves">{}</div>').format(
        Markup("").join(curve(title, values) for title, values in curves)
    )


def curve(title: str, values: Sequence[float]) -> Markup:
    """Draw one line over the numbers 0, 1, 2, ...; the caption says what it is."""
    low, high = min(values), max(values)
    margin = (high - low) * 0.05 or max(abs(high) * 0.01, 1e-3)
    low, high = low - margin, high + margin
    right, top = WIDTH - PAD, PAD
    step = (right - LEFT) / max(len(values) - 1, 1)
    floor = HEIGHT - BOTTOM
    points = " ".join(
        f"{LEFT + i * step:.1f},{floor - (v - low) / (high - low) * (floor - top):.1f}"
        for i, v in enumerate(values)
    )
    digits = 4 if high - low < 0.05 else 3 if high - low < 0.5 else 2

    def written(value: float) -> str:
        return f"{value:.{digits}f}".replace("-", "\N{MINUS SIGN}")

    return Markup(
        '<figure><svg viewBox="0 0 {w} {h}" role="img" aria-label="{title}: from {first} to {last} '
        'in {n} steps"><rect class="frame" x="{left}" y="{top}" width="{fw}" height="{fh}"/>'
        '<polyline points="{points}"/>'
        '<text x="{tx}" y="{hy}" text-anchor="end">{high}</text>'
        '<text x="{tx}" y="{floor}" text-anchor="end">{low}</text>'
        '<text x="{left}" y="{by}">0</text><text x="{right}" y="{by}" text-anchor="end">'
        "step {n}</text></svg><figcaption>{title}</figcaption></figure>"
    ).format(
        w=WIDTH, h=HEIGHT, title=title, first=written(values[0]),
        last=written(values[-1]), n=len(values) - 1, left=LEFT, top=top, right=right,
        fw=right - LEFT, fh=floor - top, points=points, tx=LEFT - 5, hy=top + 10, floor=floor,
        high=written(high), low=written(low), by=HEIGHT - 7,
    )  # fmt: skip
