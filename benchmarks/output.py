"""Reports as tables and as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    from benchmarks.harness import Report, Spread

console = Console(highlight=False, soft_wrap=True)
WIDTH = 132
"""Least width of a table: numbers are never cut."""


def say(text: str) -> None:
    """Print a line."""
    console.print(escape(text))


def number(value: float) -> str:
    """Three digits that matter, with thousands separated."""
    if value == 0 or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def spread(values: Spread) -> str:
    """Median and range."""
    return f"{number(values.median)} ({number(values.low)} to {number(values.high)})"


def print_machine(machine: dict[str, Any]) -> None:
    """Print what the figures were measured on."""
    load = " ".join(str(value) for value in machine["load"])
    say(
        f"{machine['processor']}, {machine['cores']} cores, {machine['threads']} thread used; "
        f"{machine['system']}, Python {machine['python']}; load {load} at the start"
    )


def print_report(name: str, report: Report) -> None:
    """Print title, rates, figures, checks and versions."""
    content = report.as_dict()
    console.print(f"\n[bold]{escape(name)}[/bold]")
    say(report.title)
    if report.rows:
        say(f"peer: {report.peer}")
        table = Table(caption_justify="left")
        for column in ("", "items", "unit", "here", "peer", "ratio"):
            table.add_column(column, justify="left" if not column else "right", no_wrap=True)
        for row in report.rows:
            table.add_row(
                escape(row.name),
                f"{row.count:,}",
                row.unit,
                spread(row.ours),
                spread(row.peer),
                f"[bold]{spread(row.ratio)}[/bold]",
            )
        table.caption = f"median (range) of {report.rows[0].repeats} repeats in turns"
        Console(highlight=False, width=max(console.width, WIDTH)).print(table)
    for label, figure in report.figures.items():
        say(f"  {label}: {number(figure) if isinstance(figure, float) else figure}")
    for check in report.checks:
        mark = "[green]ok[/green]    " if check.passed else "[red]FAILED[/red]"
        console.print(f"  {mark} {escape(check.name)}: {escape(check.detail)}")
    say(
        "  " + ", ".join(f"{package} {release}" for package, release in content["versions"].items())
    )
