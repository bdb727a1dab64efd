"""Jinja2 with the filters that the pages use; everything is escaped."""

from __future__ import annotations

import math
import re
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape
from starlette.responses import HTMLResponse

from dashboard.pages.contacts import contact_maps
from dashboard.pages.curves import relaxation_curves
from dashboard.pages.lineage_graph import lineage_graph
from dashboard.pages.published import comparisons

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.requests import Request

    from screening.checkpoints import Card

NOTHING, STEP = "\N{EN DASH}", " \N{SINGLE RIGHT-POINTING ANGLE QUOTATION MARK} "
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
    made.globals |= {"navigation": NAVIGATION, "address": address}
    return made


def render(request: Request, template: str, *, status: int = 200, **values: Any) -> HTMLResponse:
    """Render one page."""
    text = (
        environment()
        .get_template(template)
        .render(path=request.url.path, bundle=request.app.state.bundle, status=status, **values)
    )
    return HTMLResponse(text, status)


def number(value: float | None, digits: int = 3) -> str:
    """Write a number with a true minus; a dash where there is none."""
    if value is None:
        return NOTHING
    text = f"{value:.{digits}f}"
    if float(text) == 0:
        text = text.lstrip("-")
    return text.replace("-", "\N{MINUS SIGN}")


def when(value: datetime | None) -> Markup:
    """Write a date for people and programs."""
    if value is None:
        return escape(NOTHING)
    return Markup('<time datetime="{}">{}</time>').format(
        value.isoformat(), value.strftime("%Y-%m-%d %H:%M")
    )


def day(value: datetime) -> Markup:
    """Write only the day of a date; the time is in its title."""
    return Markup('<time datetime="{}" title="{:%H:%M} UTC">{:%Y-%m-%d}</time>').format(
        value.isoformat(), value, value
    )


def formula(text: str) -> Markup:
    """Write a formula with its amounts as indices."""
    return Markup(re.sub(r"(\d+)", r"<sub>\1</sub>", str(escape(text))))  # noqa: S704 - escaped


def ticks(text: str) -> Markup:
    """Set what stands between backticks as code."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))  # noqa: S704 - escaped


def duration(seconds: float | None) -> str:
    """Write a time span for a reader."""
    if seconds is None:
        return NOTHING
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 120:
        return f"{seconds:.1f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"


def rate(value: float | None) -> str:
    """Write how many in a second; two digits where there are few."""
    if not value:
        return NOTHING
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"


def share(value: int, most: int) -> float:
    """Length of a bar on a logarithmic scale (%); nothing has none."""
    return round(100 * math.log10(1 + value) / math.log10(1 + most), 2) if value else 0.0


def fact(value: Any) -> str:
    """Write any value of a document in a few characters."""
    match value:
        case bool():
            text = "yes" if value else "no"
        case int():
            text = f"{value:,}"
        case float():
            text = f"{value:.4g}".replace("-", "\N{MINUS SIGN}")
        case datetime():
            text = value.strftime("%Y-%m-%d %H:%M")
        case list() | tuple():
            text = ", ".join(fact(item) for item in value)
        case dict():
            text = ", ".join(f"{name} {fact(item)}" for name, item in value.items())
        case _:
            text = str(value)
    return text


def flat(values: dict[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the leaves of nested dictionaries with the path of their names."""
    for name, value in values.items():
        path = f"{before}{STEP}{name}" if before else str(name)
        if isinstance(value, dict):
            yield from flat(value, path)
        else:
            yield path, value


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
