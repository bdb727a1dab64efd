"""The command `screening`."""

from __future__ import annotations

import errno
import io
import signal
import sys
import traceback
from contextlib import suppress
from typing import Annotated, Any

import typer

from cli.commands import LazyCommands
from cli.logs import set_up_logs
from screening.errors import ScreeningError, mask_secrets

app = typer.Typer(
    name="screening",
    cls=LazyCommands,
    help="Discover crystals: compositions, structures, relaxation, hulls, phonons, DFT; "
    "every intermediate in MongoDB.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
_debug = {"on": False}


def _version(*, wanted: bool) -> None:
    if wanted:
        from screening import __version__

        typer.echo(__version__)
        raise typer.Exit


INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it."""


@app.callback()
def options(
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks and logs.")] = False,
    version: Annotated[
        bool,
        typer.Option("--version", callback=lambda value: _version(wanted=value), is_eager=True),
    ] = False,
) -> None:
    """Set what holds for all commands."""
    del version
    _debug["on"] = debug

    set_up_logs(debug=debug)
    _find_potentials()


def _find_potentials() -> None:
    """Tell the engines where the user's potentials are; commands complain about bad settings."""
    from db_config import get_settings
    from screening.engines.potentials import set_potential_folder

    with suppress(ScreeningError):
        set_potential_folder(get_settings().potentials)


def _terminated(number: int, _frame: Any) -> None:
    """Leave through the exit handlers, so that locks and the embedded server are given back."""
    raise SystemExit(128 + number)


def _tolerate_encodings() -> None:
    """Write '?' for characters that the terminal's encoding lacks, instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def main() -> None:
    """Run a command; errors are one line and a non-zero exit code."""
    _tolerate_encodings()
    signal.signal(signal.SIGTERM, _terminated)
    try:
        code = int(app(standalone_mode=False) or 0)  # typer turns Ctrl-C into a code
    except (typer.Abort, KeyboardInterrupt):
        code = INTERRUPTED
    except ScreeningError as error:
        sys.exit(_complain(str(error), error.exit_code))
    except OSError as error:
        code = _complain(_os_error(error), 1)
    except Exception as error:  # noqa: BLE001 - the last resort of a command line
        code = _unexpected(error)
    if code == INTERRUPTED:
        _complain("interrupted; what is finished is kept: `screening resume` goes on", code)
    sys.exit(code)


def _complain(message: str, code: int) -> int:
    from cli.formatting import errors

    if _debug["on"]:
        traceback.print_exc()
    errors.print(f"[bold red]error:[/] {_escape(message)}", highlight=False, soft_wrap=True)
    return code


def _unexpected(error: Exception) -> int:
    show = getattr(error, "format_message", None)  # click's usage errors
    if show is not None:
        return _complain(show(), getattr(error, "exit_code", 2))
    text = mask_secrets(" ".join(f"{type(error).__name__}: {error}".split()))[:300]
    return _complain(
        f"{text} (this is a fault of the program: `screening --debug` shows where)", 70
    )


def _os_error(error: OSError) -> str:
    if error.errno == errno.ENOSPC:
        return "the disk is full: free some space, then `screening resume`"
    return f"{error.strerror or error}: {error.filename or ''}".strip(": ")


def _escape(text: str) -> str:
    from rich.markup import escape

    return escape(text)
