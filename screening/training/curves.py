"""Training curves as cards keep them: columns, rounded."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

DIGITS = 5
"""Significant digits that are kept."""


def columns(history: Sequence[dict[str, float]]) -> dict[str, list[float]]:
    """Write the entries of a training as columns; those without every key are left out.

    Parameters
    ----------
    history
        One entry for each epoch, or for some steps: see `FitResult.history`.

    Returns
    -------
    One list for each key, of equal lengths.
    """
    keys = max((entry.keys() for entry in history), key=len, default=())
    whole = [entry for entry in history if entry.keys() == set(keys)]
    return {key: [float(f"{entry[key]:.{DIGITS}g}") for entry in whole] for key in keys}
