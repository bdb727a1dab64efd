"""Weights that come inside installed packages, checked by hash before anything reads them."""

from __future__ import annotations

import hashlib
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from screening.errors import EngineError


class Weights(NamedTuple):
    """A file inside a package and its SHA-256."""

    path: str
    sha256: str


def read_weights(name: str, weights: Weights, package: str, release: str) -> tuple[Path, bytes]:
    """Find and read a file of an installed package, without importing that.

    Parameters
    ----------
    name
        Name of the engine in messages.
    weights
        The file.
    package
        Name of the package.
    release
        The first one that holds the file.

    Returns
    -------
    Its path, and its content.

    Raises
    ------
    EngineError
        If the package is not installed, or its file is missing or another one.
    """
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise EngineError(f"engine {name!r} needs the package {package!r}: pip install {package}")
    path = Path(spec.submodule_search_locations[0]) / weights.path
    if not path.is_file():
        raise EngineError(
            f"{path} is missing: install {package}>={release}, which holds these weights"
        )
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != weights.sha256:
        raise EngineError(f"{path} does not hold the weights of {name!r}: install {package} again")
    return path, content
