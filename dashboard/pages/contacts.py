"""Contact maps as SVG: which atoms touch, before and after the relaxation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from markupsafe import Markup

from screening.elements import atomic_number, column

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dashboard.api.models import ContactMaps

SIDE, EDGE = 220, 26
MAX_NAMES = 20
"""Atoms whose symbols still have room at the edges."""
FAR, NEAR = 2.2, 1.0
"""Distances over the sum of covalent radii from which a cell is empty, and full."""


def contact_maps(maps: ContactMaps) -> Markup:
    """Draw the maps of the proposed and of the relaxed structure, side by side."""
    drawn = [
        _map(title, maps.symbols, distances)
        for title, distances in (("Proposed", maps.proposed), ("Relaxed", maps.relaxed))
        if distances
    ]
    return Markup('<div class="curves contacts">{}</div>').format(Markup("").join(drawn))


def _map(title: str, symbols: Sequence[str], distances: Sequence[Sequence[float]]) -> Markup:
    n = len(symbols)
    step = SIDE / n
    radii = [float(column("covalent_radius")[atomic_number(symbol)]) for symbol in symbols]
    cells = Markup("").join(
        Markup(
            '<rect x="{x:.1f}" y="{y:.1f}" width="{w:.2f}" height="{w:.2f}" fill-opacity="{o:.2f}">'
            "<title>{a}{i} to {b}{j}: {d:.2f} Å</title></rect>"
        ).format(
            x=EDGE + j * step, y=EDGE + i * step, w=step,
            o=_shade(distances[i][j], radii[i] + radii[j]),
            a=symbols[i], b=symbols[j], i=i + 1, j=j + 1, d=distances[i][j],
        )
        for i in range(n)
        for j in range(n)
        if _shade(distances[i][j], radii[i] + radii[j]) > 0
    )  # fmt: skip
    names = Markup("").join(
        Markup(
            '<text x="{m:.1f}" y="{t}" text-anchor="middle">{s}</text>'
            '<text x="{t}" y="{b:.1f}" text-anchor="end">{s}</text>'
        ).format(m=EDGE + (i + 0.5) * step, t=EDGE - 4, b=EDGE + (i + 0.5) * step + 4, s=symbol)
        for i, symbol in enumerate(symbols)
    )
    return Markup(
        '<figure><svg viewBox="0 0 {size} {size}" role="img" aria-label="{title}: distances of {n} '
        'atoms"><rect class="frame" x="{e}" y="{e}" width="{side}" height="{side}"/>{cells}{names}'
        "</svg><figcaption>{title}</figcaption></figure>"
    ).format(
        size=SIDE + EDGE + 2, title=title, n=n, e=EDGE, side=SIDE, cells=cells,
        names=names if n <= MAX_NAMES else "",
    )  # fmt: skip


def _shade(distance: float, touching: float) -> float:
    """Fraction of full colour: 1 for atoms that touch, 0 for those far apart or the same."""
    if distance <= 0:
        return 0.0
    return min(1.0, max(0.0, (FAR - distance / touching) / (FAR - NEAR)))
