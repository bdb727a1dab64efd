"""Peers that cannot share our environment: each has one of its own, and runs in its own process.

matminer needs pandas 2, this project has pandas 3. The peer's script measures its own time, so that
neither the transfer of inputs nor that of results counts.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Self

from benchmarks.harness import MissingPeerError, Timed

REQUIREMENTS = {"matminer": ("matminer>=0.10", "pandas<3", "setuptools<81")}
"""What is installed into the environment of each peer."""
FOLDER = Path(__file__).parents[2] / ".peers"
_SCRIPTS = Path(__file__).parent


def interpreter(peer: str) -> Path:
    """Path of the Python of a peer's environment, whether or not it exists."""
    return FOLDER / peer / "bin" / "python"


def install(peer: str) -> None:
    """Make the environment of a peer, unless it exists.

    Raises
    ------
    MissingPeerError
        If pip cannot install it.
    """
    if (FOLDER / peer / "installed").exists():
        return
    steps = (
        [sys.executable, "-m", "venv", "--clear", str(FOLDER / peer)],
        [str(interpreter(peer)), "-m", "pip", "install", "--quiet", *REQUIREMENTS[peer]],
    )
    for step in steps:
        if subprocess.run(step, check=False).returncode:
            raise MissingPeerError(f"{peer} could not be installed: {' '.join(step)} failed")
    (FOLDER / peer / "installed").touch()


class PeerProcess:
    """A running script of a peer: one request and one answer per line, as JSON.

    Parameters
    ----------
    peer
        Name of the environment; its script is ``benchmarks/peers/NAME.py``.

    Raises
    ------
    MissingPeerError
        If the environment does not exist.
    """

    def __init__(self, peer: str) -> None:
        if not (FOLDER / peer / "installed").exists():
            raise MissingPeerError(
                f"{peer} has no environment: make benchmarks, or python -m benchmarks "
                "--install-peers"
            )
        self._process = subprocess.Popen(
            [str(interpreter(peer)), str(_SCRIPTS / f"{peer}.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        hello = self._ask({"task": "describe"})
        self.version: str = hello["version"]
        self.labels: list[str] = hello["labels"]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.stdin.close()  # type: ignore[union-attr] - it is a pipe
        self._process.wait(timeout=60)

    def run(self, task: str, items: list[str]) -> Timed:
        """Run a task of the script on all items; the time is the script's own."""
        answer = self._ask({"task": task, "items": items})
        return Timed(answer["rows"], answer["seconds"])

    def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        stdin.write(json.dumps(request) + "\n")
        stdin.flush()
        line = stdout.readline()
        if not line:
            raise MissingPeerError(f"the process of the peer ended: {self._process.args!r}")
        answer: dict[str, Any] = json.loads(line)
        return answer
