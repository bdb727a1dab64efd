"""Criteria of queries, so that no other package writes MongoDB's operators."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable


def any_of(field: str, values: Iterable[Any]) -> dict[str, Any]:
    """Ask for documents whose field has one of the values.

    >>> any_of("hull_id", ["hull-a", "hull-b"])
    {'hull_id': {'$in': ['hull-a', 'hull-b']}}
    """
    return {field: {"$in": list(values)}}
