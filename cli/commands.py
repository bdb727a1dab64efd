"""Table of the commands; the module of a command is imported when the command is called."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from screening.errors import InputError


@dataclass(frozen=True)
class Entry:
    """A command.

    Attributes
    ----------
    target
        'module:name' of a function, or of a `typer.Typer` with further commands.
    help
        First paragraph of its help.
    """

    target: str
    help: str


COMMANDS = {
    "init": Entry("cli.campaign:init", "Write an example campaign.yaml to start from."),
    "run": Entry("cli.campaign:run", "Run a campaign. Completed tasks are skipped."),
    "resume": Entry("cli.campaign:resume", "Resume an interrupted campaign."),
    "status": Entry(
        "cli.campaign:status",
        "Show all campaigns, or the funnel, tasks and failures of one.",
    ),
    "predict": Entry("cli.predict:predict", "Predict the crystals of one composition."),
    "screen": Entry(
        "cli.screen:screen", "Screen crystals of your own as candidates of a campaign."
    ),
    "stability": Entry(
        "cli.stability:stability",
        "Tell how likely compositions are stable, and climb the ladder of evidence.",
    ),
    "query": Entry(
        "cli.data:query", "List materials (or candidates, structures) that match a filter."
    ),
    "show": Entry("cli.data:show_document", "Print one document as JSON (arrays are left out)."),
    "lineage": Entry(
        "cli.data:lineage", "Walk back from a discovery to the sample that it came from."
    ),
    "export": Entry("cli.data:export", "Write structures to files."),
    "report": Entry(
        "cli.report:report",
        "Write the report of a campaign: funnel, hull, crystals, phonons, provenance.",
    ),
    "dashboard": Entry(
        "cli.dashboard:dashboard",
        "Serve campaigns, discoveries and models as web pages, JSON and OPTIMADE (read-only).",
    ),
    "train": Entry("cli.train:train", "Train a model and save its checkpoint: weights and a card."),
    "evaluate": Entry(
        "cli.train:evaluate",
        "Measure a model on data that it has not seen; prints JSON, or tables of `generators`.",
    ),
    "compare": Entry(
        "cli.compare:compare",
        "Compare predicted crystals with the true ones by all metrics (docs/metrics.md).",
    ),
    "validate": Entry(
        "cli.validate:validate",
        "Relax crystals by DFT, and compute phonons of the stable ones; shows the cost first.",
    ),
    "references": Entry("cli.references:group", "Competing phases of the hulls."),
    "bank": Entry("cli.bank:group", "Prototype banks."),
    "db": Entry("cli.database:app", "The database: status, start, stop, doctor."),
    "config": Entry("cli.config:app", "Settings of this machine."),
    "pressure": Entry("cli.pressure:app", "Crystals under pressure: transitions, compression."),
    "potentials": Entry("cli.potentials:app", "Weights of potentials that others publish."),
}
"""Name -> command, in the order of ``screening --help``."""


def load_command(name: str) -> Any:
    """Import a command.

    Parameters
    ----------
    name
        A key of `COMMANDS`.
    """
    module, attribute = COMMANDS[name].target.split(":")
    target: Any = getattr(import_module(module), attribute)
    if isinstance(target, typer.Typer):
        group = typer.main.get_group(target)
        group.name = name
        return group
    parent = typer.Typer(rich_markup_mode="rich")
    parent.command(name)(target)
    parent.callback()(lambda: None)  # with it a single command stays one of a group
    return typer.main.get_group(parent).commands[name]


class LazyCommands(TyperGroup):
    """Lists the commands by their lines in the table, and imports the one that is called."""

    def list_commands(self, ctx: Any) -> list[str]:
        """List the names in the order of the table."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return what the list of commands shows of one."""
        del ctx
        entry = COMMANDS.get(cmd_name)
        return TyperCommand(cmd_name, help=entry.help) if entry else None

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """Import the command that is called."""
        if args[0] not in COMMANDS:
            close = difflib.get_close_matches(args[0], COMMANDS, n=1)
            hint = f"did you mean {close[0]!r}?" if close else f"commands are {list(COMMANDS)}"
            raise InputError(f"there is no command {args[0]!r}: {hint}")
        name, command, arguments = super().resolve_command(ctx, args)
        return name, load_command(name) if command and name else None, arguments
