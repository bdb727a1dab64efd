"""Documents as pandas data frames, for notebooks and scripts."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import Enum
from functools import cache
from typing import TYPE_CHECKING, Any, get_args

from pydantic import BaseModel

from screening.errors import InputError
from stores.collections import COLLECTIONS
from stores.queries.documents import MAX_PAGE, dig, find

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from stores.database import Database

_PLAIN = (str, int, float, bool, datetime, Enum)


def dataframe(
    database: Database,
    collection: str = "materials",
    text: str = "",
    *,
    fields: Sequence[str] | None = None,
    sort: str | None = None,
    limit: int | None = None,
) -> pd.DataFrame:
    """Read documents into a data frame, one row each, with the key as index.

    Parameters
    ----------
    database
        The database.
    collection
        Collection to read.
    text
        Filter in the OPTIMADE grammar, as of ``screening query``; empty for all.
    fields
        Columns; dots lead into documents (``symmetry.number``). None: every field that holds one
        number, text, truth value or time, those of inner documents included, without provenance.
    sort
        Field to sort by, with a leading minus for descending; None: by the key.
    limit
        Most rows; None for all.

    Returns
    -------
    ``(n, len(fields))``; a field that a document does not have is missing (NaN, None).

    Raises
    ------
    InputError
        If the collection, the filter or a field is unknown.
    """
    import pandas as pd

    if collection not in COLLECTIONS:
        raise InputError(f"no collection {collection!r}: use one of {sorted(COLLECTIONS)}")
    key = COLLECTIONS[collection].key
    known = set(COLLECTIONS[collection].schema.model_fields)
    wanted = [name for name in fields or plain_fields(collection) if name != key]
    unknown = [name for name in wanted if name.split(".")[0] not in known]
    if unknown:
        raise InputError(f"{collection} have no {unknown}: use some of {sorted(known)}")
    rows: list[dict[str, Any]] = []
    after = None
    while limit is None or len(rows) < limit:
        size = MAX_PAGE if limit is None else min(MAX_PAGE, limit - len(rows))
        page = find(
            database, text, collection=collection, fields=[key, *wanted], sort=sort or key,
            limit=size, after=after,
        )  # fmt: skip
        rows += [{name: dig(row, name) for name in (key, *wanted)} for row in page.rows]
        after = page.after
        if after is None:
            break
    return pd.DataFrame(rows, columns=[key, *wanted]).set_index(key)


@cache
def plain_fields(collection: str) -> tuple[str, ...]:
    """List the fields of a collection that hold one value, with those of inner documents."""
    return tuple(_plain(COLLECTIONS[collection].schema))


def _plain(schema: type[BaseModel], before: str = "") -> list[str]:
    names = []
    for name, field in schema.model_fields.items():
        kinds = [kind for kind in _kinds(field.annotation) if kind is not type(None)]
        inner = [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)]
        if name == "provenance":
            continue
        if inner:
            names += _plain(inner[0], f"{before}{name}.")
        elif kinds and all(isinstance(kind, type) and issubclass(kind, _PLAIN) for kind in kinds):
            names.append(before + name)
    return names


def _kinds(annotation: Any) -> list[Any]:
    """Take unions and annotations apart; what a literal lists counts by its type."""
    parts = get_args(annotation)
    if not parts or getattr(annotation, "__origin__", None) in {list, tuple, dict, set, Mapping}:
        return [annotation]
    return [kind for part in parts for kind in ([type(part)] if _is_value(part) else _kinds(part))]


def _is_value(part: Any) -> bool:
    return isinstance(part, str | int | float | bool)
