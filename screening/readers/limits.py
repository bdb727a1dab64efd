"""Limits of every reader, in one place: bytes, atoms, seconds, and the bounds of a real crystal.

A file is data of a stranger. It may be endless, nested without end, or claim four billion atoms;
its numbers may be no lengths of any crystal.
"""

from __future__ import annotations

import reprlib
import signal
import stat
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from screening.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MAX_BYTES = 64 * 2**20
"""Largest file that is read into memory as text."""
MAX_BYTES_OF = {
    ".json": 512 * 2**20,
    ".xyz": 4 * 2**30,
    ".extxyz": 4 * 2**30,
    ".parquet": 8 * 2**30,
}
"""Larger ones: trajectories and tables are read piece by piece, JSON holds whole databases."""
MAX_ATOMS = 2000
"""Largest number of atoms in a cell; the platform's own cells have 200 at most."""
MAX_OPERATIONS = 400
"""Largest number of symmetry operations in a CIF; a cubic F group has 192."""
MAX_DEPTH = 5
"""Containers inside containers in which a structure is looked for."""
SECONDS = 30.0
"""Time for one structure."""
CHARACTERS = 100
"""Length of a value that is quoted in a message."""

LENGTHS = (0.5, 1000.0)
"""Lengths of a cell (Angstrom)."""
SHORTEST = 0.5
"""Atoms closer than this (Angstrom) are a fault of the file; a bond of hydrogen has 0.74."""
FARTHEST = 1e10
"""Largest fractional coordinate; beyond, its fraction is lost to rounding."""
LARGEST_VOLUME = 500.0
"""Largest volume (Angstrom^3/atom): caesium has 115, the emptiest framework (MOF-399) 170."""
DENSEST = 5.0
"""Largest volume of covalent spheres over that of the cell: iron has 0.8, caesium at 100 GPa 3."""


def excerpt(value: Any, length: int = CHARACTERS) -> str:
    """Quote a value in one printable line of at most `length` characters."""
    text = value if isinstance(value, str) else quote(value)
    line = " ".join(text[: 10 * length].split())
    line = "".join(char if char.isprintable() else "?" for char in line)
    return line if len(line) <= length else f"{line[: length - 3]}..."


def quote(value: Any) -> str:
    """Write a value as Python does, in one line, cut; aliases make no endless text."""
    short = reprlib.Repr()
    short.maxlevel, short.maxlist, short.maxdict, short.maxtuple = 2, 5, 4, 5
    short.maxstring = short.maxother = CHARACTERS
    line = short.repr(value)
    return line if len(line) <= 2 * CHARACTERS else f"{line[: 2 * CHARACTERS - 3]}..."


def check_file(path: Path) -> None:
    """Refuse what is no regular file, or larger than its type may be.

    Raises
    ------
    InputError
        If it is missing, special (a device, a pipe) or too large.
    """
    try:
        status = path.stat()
    except FileNotFoundError:
        raise InputError(f"no such file: {path}") from None
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from None
    if not stat.S_ISREG(status.st_mode):
        raise InputError(f"{path} is no regular file")
    largest = MAX_BYTES_OF.get(path.suffix.lower(), MAX_BYTES)
    if status.st_size > largest:
        raise InputError(
            f"{path} has {status.st_size / 2**20:.0f} MiB, at most {largest / 2**20:.0f} are read: "
            "split it"
        )


def read_text(path: Path) -> str:
    r"""Read a text file of any usual encoding: UTF-8, UTF-16 with its mark, else Latin-1.

    Byte order marks are left out, and all line ends are ``\n``.
    """
    check_file(path)
    content = path.read_bytes()
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        text = content.decode("utf-16")
    else:
        try:
            text = content.decode("utf-8-sig")
        except UnicodeDecodeError:
            text = content.decode("latin-1")
    return text.replace("\r\n", "\n").replace("\r", "\n")


@contextmanager
def time_limit(seconds: float = SECONDS) -> Iterator[None]:
    """Raise TimeoutError inside the block after `seconds`, in the main thread of the process.

    Other threads cannot be interrupted: there the limits of bytes and atoms must do.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(_number: int, _frame: Any) -> None:
        raise TimeoutError(f"takes more than {seconds:g} s to read")

    previous = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
