"""Finished parts of a long measurement, kept as files, so that it goes on where it was stopped."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from screening.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@dataclass(frozen=True)
class Parts:
    """Parts of one measurement.

    Attributes
    ----------
    folder
        Folder of the measurement; its name tells apart what was asked for.
    """

    folder: Path

    def get(self, name: str, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Read a part that is there, or make it and keep it.

        Raises
        ------
        InputError
            If the file is damaged.
        """
        path = self.folder / f"{name}.json"
        if path.is_file():
            try:
                found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            except ValueError:
                raise InputError(f"{path} is damaged: delete it and measure again") from None
            return found
        made = make()
        self.folder.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".partial")
        partial.write_text(json.dumps(made), encoding="utf-8")
        partial.replace(path)
        return made
