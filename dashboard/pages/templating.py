"""Jinja2 with the filters that the pages use; everything is escaped."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import HTMLResponse

from dashboard.pages.contacts import contact_maps
from dashboard.pages.curves import relaxation_curves
from dashboard.pages.filters import (
    day,
    duration,
    fact,
    flat,
    formula,
    number,
    rate,
    share,
    ticks,
    when,
)
from dashboard.pages.lineage_graph import lineage_graph
from dashboard.pages.published import comparisons
from screening.hull import wording

if TYPE_CHECKING:
    from starlette.requests import Request

    from screening.checkpoints import Card

NAVIGATION = (
    ("/", "Campaigns"),
    ("/discoveries", "Discoveries"),
    ("/systems", "Chemical systems"),
    ("/models", "Models"),
    ("/health", "Health"),
    ("/api", "API"),
)


@cache
def environment() -> Environment:
    """Make the environment once."""
    made = Environment(
        loader=PackageLoader("dashboard", "templates/web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "number": number,
        "thousands": lambda n: f"{n:,}",
        "when": when,
        "day": day,
        "formula": formula,
        "words": lambda text: str(text).replace("_", " "),
        "duration": duration,
        "ticks": ticks,
        "rate": rate,
        "share": share,
        "fact": fact,
        "flat": lambda values: list(flat(values)),
        "headline": headline,
        "relaxation": relaxation_curves,
        "contact_maps": contact_maps,
        "lineage_graph": lineage_graph,
        "short": lambda text: text if len(text) <= 16 else text[:13] + "…",
    }
    made.globals |= {"navigation": NAVIGATION, "address": address, "wording": wording}
    return made


def render(request: Request, template: str, *, status: int = 200, **values: Any) -> HTMLResponse:
    """Render one page."""
    text = (
        environment()
        .get_template(template)
        .render(path=request.url.path, bundle=request.app.state.bundle, status=status, **values)
    )
    return HTMLResponse(text, status)


def headline(card: Card, n: int = 3) -> list[tuple[str, str]]:
    """Choose what a card measured: quantities that papers have, too, else its plain numbers."""
    known = [
        (row.published.what, row.text(row.here).replace(" ", "\N{NO-BREAK SPACE}"))
        for row in comparisons(card)
    ]
    plain = [
        (name.replace("_", " "), fact(value))
        for name, value in card.metrics.items()
        if isinstance(value, float)
    ]
    return (known or plain)[:n]


def address(path: str, query: dict[str, Any], **changes: Any) -> str:
    """Write an address with a query; None and empty values are left out."""
    values = {**query, **changes}
    given = {
        name: str(value).lower() if isinstance(value, bool) else value
        for name, value in values.items()
        if value not in (None, "", [])
    }
    return path + ("?" + urlencode(given, doseq=True) if given else "")
