"""Contact maps as SVG: which atoms touch, as predicted, and before and after the relaxation."""

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
    """Draw the maps of the network, of the proposed and of the relaxed structure, side by side."""
    drawn = [
        _map(title, maps.symbols, distances)
        for title, distances in (("Proposed", maps.proposed), ("Relaxed", maps.relaxed))
        if distances
    ]
    if maps.maps is not None:
        found = maps.maps
        drawn = [
            _map(title, found.symbols, values, contacts=found.contacts)
            for title, values in (
                ("Predicted map", found.predicted),
                ("Reconstructed map", found.reconstructed),
            )
        ] + drawn
    return Markup('<div class="curves contacts">{}</div>').format(Markup("").join(drawn))


def _map(
    title: str,
    symbols: Sequence[str],
    values: Sequence[Sequence[float]],
    *,
    contacts: bool = False,
) -> Markup:
    """Draw a matrix of distances (Angstrom), or of contacts."""
    n = len(symbols)
    step = SIDE / n
    radii = [float(column("covalent_radius")[atomic_number(symbol)]) for symbol in symbols]
    unit = "" if contacts else " Å"
    shades = [
        (i, j, values[i][j] if contacts else _shade(values[i][j], radii[i] + radii[j]))
        for i in range(n)
        for j in range(n)
        if not contacts or i != j
    ]
    cells = Markup("").join(
        Markup(
            '<rect x="{x:.1f}" y="{y:.1f}" width="{w:.2f}" height="{w:.2f}" fill-opacity="{o:.2f}">'
            "<title>{a}{i} to {b}{j}: {d:.2f}{u}</title></rect>"
        ).format(
            x=EDGE + j * step, y=EDGE + i * step, w=step, o=shade, u=unit,
            a=symbols[i], b=symbols[j], i=i + 1, j=j + 1, d=values[i][j],
        )
        for i, j, shade in shades
        if shade > 0
    )  # fmt: skip
    names = Markup("").join(
        Markup(
            '<text x="{m:.1f}" y="{t}" text-anchor="middle">{s}</text>'
            '<text x="{t}" y="{b:.1f}" text-anchor="end">{s}</text>'
        ).format(m=EDGE + (i + 0.5) * step, t=EDGE - 4, b=EDGE + (i + 0.5) * step + 4, s=symbol)
        for i, symbol in enumerate(symbols)
    )
    return Markup(
        '<figure><svg viewBox="0 0 {size} {size}" role="img" aria-label="{title}: {what} of {n} '
        'atoms"><rect class="frame" x="{e}" y="{e}" width="{side}" height="{side}"/>{cells}{names}'
        "</svg><figcaption>{title}</figcaption></figure>"
    ).format(
        size=SIDE + EDGE + 2, title=title, n=n, e=EDGE, side=SIDE, cells=cells,
        what="contacts" if contacts else "distances",
        names=names if n <= MAX_NAMES else "",
    )  # fmt: skip


def _shade(distance: float, touching: float) -> float:
    """Fraction of full colour: 1 for atoms that touch, 0 for those far apart or the same."""
    if distance <= 0:
        return 0.0
    return min(1.0, max(0.0, (FAR - distance / touching) / (FAR - NEAR)))
