"""Jinja filters: numbers, dates and formulas as text."""

from __future__ import annotations

import math
import re
from datetime import datetime
from typing import TYPE_CHECKING, Any

from markupsafe import Markup, escape

if TYPE_CHECKING:
    from collections.abc import Iterator


NOTHING, STEP = "\N{EN DASH}", " \N{SINGLE RIGHT-POINTING ANGLE QUOTATION MARK} "


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
