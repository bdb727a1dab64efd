"""Structures of the Materials Project, with the user's own key."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING

from screening.errors import EngineError, InputError
from screening.readers.crystal import read_one
from screening.readers.limits import excerpt

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from screening.readers.crystal import ReadStructure


def from_materials_project(elements: Sequence[str]) -> Iterator[ReadStructure]:
    """Fetch a chemical system and its subsystems.

    Parameters
    ----------
    elements
        Symbols of the chemical system.

    Raises
    ------
    InputError
        If there is no key in MP_API_KEY (or PMG_MAPI_KEY).
    EngineError
        If the package mp-api is not installed, or the Materials Project does not answer.
    """
    key = os.environ.get("MP_API_KEY") or os.environ.get("PMG_MAPI_KEY")
    if not key:
        raise InputError("set MP_API_KEY to your key (materialsproject.org, dashboard)")
    try:
        from mp_api.client import MPRester  # type: ignore[import-not-found,unused-ignore]
    except ImportError:
        raise EngineError("the package mp-api is missing: pip install mp-api") from None
    try:
        with MPRester(key, mute_progress_bars=True) as rester:
            entries = list(rester.get_entries_in_chemsys(elements))
    except Exception as error:  # noqa: BLE001 - the client raises many kinds
        reason = excerpt(str(error).replace(key, "***"), 200)
        raise EngineError(f"the Materials Project does not answer: {reason}") from None
    for entry in entries:
        yield read_one(str(entry.entry_id), partial(getattr, entry, "structure"))
