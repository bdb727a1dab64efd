"""Weights of potentials that are not ours: a table of what there is, a folder of what is here.

The table (``data/potentials.json``) names origin, licence and SHA-256 of each file. The files lie
in the user's folder of potentials, put there by `screening potentials add` or `fetch`, and are read
as they are.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from screening.errors import EngineError, InputError

FOLDER_VARIABLE = "SCREENING_POTENTIAL_DIR"
"""Environment variable that names the folder, also to processes that are started."""
MAX_BYTES = 200_000_000
_TABLE = Path(__file__).parents[1] / "data" / "potentials.json"


@dataclass(frozen=True)
class Potential:
    """A file of weights that others publish.

    Attributes
    ----------
    name
        Name of the engine.
    file
        Name of the file.
    sha256
        Hash of the file, if known; a file without a known hash is named after the one it has.
    url
        Address at which the authors publish it.
    licence, trained_on, functional
        Licence; data; what its energies are.
    references
        Papers.
    """

    name: str
    file: str
    sha256: str | None
    url: str
    licence: str
    trained_on: str
    functional: str
    references: tuple[str, ...]


@cache
def potentials() -> dict[str, Potential]:
    """Read the table of known potentials, by name."""
    rows = json.loads(_TABLE.read_text(encoding="utf-8"))
    table = [Potential(references=tuple(row.pop("references")), **row) for row in rows]
    return {potential.name: potential for potential in table}


def potential(name: str) -> Potential:
    """Find a potential in the table.

    Raises
    ------
    InputError
        If there is none of that name.
    """
    try:
        return potentials()[name]
    except KeyError:
        raise InputError(f"no potential {name!r}: known are {list(potentials())}") from None


def set_potential_folder(folder: Path) -> None:
    """Keep potentials in `folder`, in this process and those that it starts."""
    os.environ[FOLDER_VARIABLE] = str(folder)


def potential_folder() -> Path:
    """Folder of the user's potentials, from the environment or in the home folder."""
    if folder := os.environ.get(FOLDER_VARIABLE):
        return Path(folder).expanduser()
    data = os.environ.get("SCREENING_DATA_DIR") or "~/.screening"
    return Path(data).expanduser() / "potentials"


def file_hash(path: Path) -> str:
    """SHA-256 of a file, computed once for each of its states."""
    state = path.stat()
    return _hash(path, state.st_mtime_ns, state.st_size)


@cache
def _hash(path: Path, _modified: int, _size: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def installed_file(name: str) -> Path:
    """Find the checked file of a potential.

    Raises
    ------
    EngineError
        If it is not here, or is not the file of the table.
    """
    entry = potential(name)
    path = potential_folder() / entry.file
    if not path.is_file():
        raise EngineError(
            f"the weights of engine {name!r} are not here: `screening potentials fetch {name}`, or "
            f"without a network `screening potentials add FILE` with that of {entry.url}"
        )
    if entry.sha256 and file_hash(path) != entry.sha256:
        raise EngineError(
            f"{path} is not the file of {name!r}: its SHA-256 is {file_hash(path)[:12]}..., not "
            f"{entry.sha256[:12]}...; delete it and add it again"
        )
    return path


def source_id(name: str) -> str:
    """Name the energy source: the potential, with a hash where the table knows none."""
    path = installed_file(name)
    return name if potential(name).sha256 else f"{name}-{file_hash(path)[:8]}"


def identify(content: bytes, label: str, name: str | None = None) -> Potential:
    """Say which potential of the table a file is, by its hash.

    Parameters
    ----------
    content
        The file.
    label
        Name of the file in messages.
    name
        Name that the user gives it; needed for a file without a hash in the table.

    Raises
    ------
    InputError
        If it is none, or not the one it is said to be.
    """
    digest = hashlib.sha256(content).hexdigest()
    by_hash = {entry.sha256: entry for entry in potentials().values() if entry.sha256}
    match = by_hash.get(digest)
    said = potential(name) if name else None
    if match is None and said is not None and said.sha256 is None:
        return said
    if match is None or (said is not None and said != match):
        unhashed = [entry.name for entry in potentials().values() if entry.sha256 is None]
        raise InputError(
            f"{label} (SHA-256 {digest[:12]}...) is {match.name if match else 'no known file'}"
            f"{f', not {name!r}' if name else ''}: known files are {sorted(potentials())}; "
            f"of {unhashed} no hash is known: say --name"
        )
    return match


def add(path: Path, name: str | None = None) -> tuple[Potential, Path]:
    """Copy a file of weights to the folder of potentials, after checking that it can be read.

    Raises
    ------
    InputError, EngineError
        If it is not a known potential, or is damaged.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise InputError(f"{path} is larger than any potential ({MAX_BYTES // 10**6} MB)")
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from None
    entry = identify(content, str(path), name)
    return entry, store(entry, content)


def store(entry: Potential, content: bytes) -> Path:
    """Write weights to the folder of potentials, whole or not at all."""
    from screening.engines.nequix_file import parse_nqx

    parse_nqx(content, entry.file)
    folder = potential_folder()
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=folder, delete=False) as file:
        file.write(content)
    Path(file.name).chmod(0o644)
    return Path(file.name).replace(folder / entry.file)


def survey() -> list[dict[str, Any]]:
    """List all known potentials with their state: here, not here, or not the right file."""
    return [_state(entry) for entry in potentials().values()]


def _state(entry: Potential) -> dict[str, Any]:
    path = potential_folder() / entry.file
    digest = file_hash(path) if path.is_file() else None
    right = digest is not None and entry.sha256 in {None, digest}
    return {
        "name": entry.name,
        "state": "here" if right else "not here" if digest is None else "wrong file",
        "licence": entry.licence,
        "trained_on": entry.trained_on,
        "functional": entry.functional,
        "origin": entry.url,
        "references": list(entry.references),
        "sha256": entry.sha256 or digest,
        "source": source_id(entry.name) if right else None,
        "file": str(path) if digest else None,
    }


def verify() -> list[dict[str, Any]]:
    """Hash and read the files that are here: ``right``, or what is wrong."""
    from screening.engines.nequix_file import read_nqx

    rows = []
    for entry in potentials().values():
        path = potential_folder() / entry.file
        if not path.is_file():
            continue
        _hash.cache_clear()
        try:
            read_nqx(installed_file(entry.name))
            state = "right"
        except EngineError as error:
            state = str(error)
        row = {"name": entry.name, "state": state, "sha256": file_hash(path), "file": str(path)}
        rows.append(row)
    return rows
