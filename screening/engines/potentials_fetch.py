"""Download of weights from their authors' public place, at the user's command only."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from screening.engines.potentials import (
    MAX_BYTES,
    Potential,
    identify,
    potential,
    potential_folder,
    store,
)
from screening.errors import EngineError, InputError
from screening.progress import report

if TYPE_CHECKING:
    from pathlib import Path

TIMEOUT = 30.0
CHUNK = 1 << 16
_PARTIAL = 206
_WHOLE_ALREADY = 416


def fetch(name: str, sha256: str | None = None) -> tuple[Potential, Path]:
    """Download the weights of a potential; what an interrupted download left is continued.

    Parameters
    ----------
    name
        Name of the potential.
    sha256
        Hash that the file must have; needed where the table knows none.

    Raises
    ------
    InputError
        If the potential is not known, or no hash of it.
    EngineError
        If it cannot be downloaded, or is not the file that it should be.
    """
    entry = potential(name)
    expected = entry.sha256 or (sha256 or "").lower()
    if not expected:
        raise InputError(
            f"no hash of {name!r} is known here: give --sha256, or download {entry.url} and add it "
            f"with `screening potentials add {entry.file} --name {name}`"
        )
    folder = potential_folder()
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / f"{entry.file}.part"
    try:
        _download(entry, partial)
    except (HTTPError, URLError, TimeoutError, ConnectionError) as error:
        reason = getattr(error, "reason", error)
        raise EngineError(
            f"cannot download {entry.url} ({reason}): try again, or copy the file from a machine "
            f"with a network and `screening potentials add {entry.file}`"
        ) from error
    content = partial.read_bytes()
    partial.unlink()
    _check(content, entry, expected)
    return entry, store(entry, content)


def _check(content: bytes, entry: Potential, expected: str) -> None:
    digest = hashlib.sha256(content).hexdigest()
    if digest != expected:
        raise EngineError(
            f"{entry.url} gave another file than expected (SHA-256 {digest[:12]}..., not "
            f"{expected[:12]}...): nothing was kept"
        )
    identify(content, entry.file, entry.name)


def _download(entry: Potential, partial: Path) -> None:
    """Append what is missing to `partial`."""
    start = partial.stat().st_size if partial.exists() else 0
    request = Request(entry.url, headers={"Range": f"bytes={start}-"} if start else {})  # noqa: S310 - from our table
    label = f"fetch {entry.name}"
    try:
        answer = urlopen(request, timeout=TIMEOUT)  # noqa: S310 - from our table
    except HTTPError as error:
        if error.code == _WHOLE_ALREADY and start:
            return
        raise
    with answer:
        resumed = answer.status == _PARTIAL
        done = start if resumed else 0
        remaining = int(answer.headers.get("Content-Length") or 0)
        with partial.open("ab" if resumed else "wb") as file:
            while chunk := answer.read(CHUNK):
                done += len(chunk)
                if done > MAX_BYTES:
                    raise EngineError(f"{entry.url} is larger than any potential: stopped")
                file.write(chunk)
                report(label, done, remaining + (start if resumed else 0))
