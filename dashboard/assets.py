"""The built scripts of the pages: where they are, and how they are built from `frontend/`."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
BUNDLE = HERE / "static" / "bundle"
ENTRY = "site.js"


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
