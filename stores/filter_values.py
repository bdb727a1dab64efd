"""Values of a filter, checked against the types of the fields that they are compared with.

A comparison that can never hold is an error with the right way to write it, not an empty answer.
"""

from __future__ import annotations

import types
from datetime import datetime
from enum import Enum
from functools import cache
from typing import TYPE_CHECKING, Any, Union, get_args, get_origin

from pydantic import BaseModel

from screening.composition import pretty_formula
from screening.elements import symbols
from screening.errors import InputError
from stores.collections import COLLECTIONS

if TYPE_CHECKING:
    from collections.abc import Callable

_SCALARS = (str, bool, int, float, datetime, Enum)
_TEXT_OPERATORS = frozenset({"$regex", "$options"})
_WORDS = {"true": True, "yes": True, "false": False, "no": False}


def _plain_types(annotation: Any) -> tuple[Any, ...]:
    """Take an optional or a union apart, without None."""
    if get_origin(annotation) in {Union, types.UnionType}:
        return tuple(t for t in get_args(annotation) if t is not type(None))
    return (annotation,)


@cache
def field_types(collection: str, path: str) -> tuple[Any, ...]:
    """Find the types of a field by its path with dots; none where it is unknown or untyped."""
    model: Any = COLLECTIONS[collection].schema
    kinds: tuple[Any, ...] = ()
    for name in path.split("."):
        if not (isinstance(model, type) and issubclass(model, BaseModel)):
            return ()
        field = model.model_fields.get(name)
        if field is None:
            return ()
        kinds = _plain_types(field.annotation)
        model = next((t for t in kinds if isinstance(t, type)), None)
    return kinds


def is_sortable(collection: str, path: str) -> bool:
    """Tell whether a field holds one number, text, date or truth value."""
    kinds = field_types(collection, path)
    return bool(kinds) and all(isinstance(t, type) and issubclass(t, _SCALARS) for t in kinds)


def check_values(query: Any, collection: str) -> Any:
    """Check the values of a translated filter, and write formulas and systems as they are stored.

    Parameters
    ----------
    query
        MongoDB query that the OPTIMADE library made.
    collection
        Collection that it is for.

    Raises
    ------
    InputError
        If a value cannot be one of its field.
    """
    if isinstance(query, list):
        return [check_values(item, collection) for item in query]
    if not isinstance(query, dict):
        return query
    return {
        key: check_values(value, collection)
        if key.startswith("$")
        else _condition(value, _converter(collection, key))
        for key, value in query.items()
    }


def _condition(value: Any, convert: Callable[[Any], Any]) -> Any:
    if isinstance(value, dict):
        return {
            name: item
            if name in _TEXT_OPERATORS or name in {"$exists", "$type", "$size"}
            else _condition(item, convert)
            for name, item in value.items()
        }
    if isinstance(value, list):
        return [_condition(item, convert) for item in value]
    return value if value is None else convert(value)


def _converter(collection: str, path: str) -> Callable[[Any], Any]:
    """Choose the check of one field."""
    special = {"elements": _element, "chemsys": _system}
    if path in special:
        return special[path]
    if path in {"formula_pretty", "formula"}:
        return _formula
    kinds = tuple(_scalar(t) for t in field_types(collection, path))
    return lambda value: _typed(path, kinds, value)


def _scalar(kind: Any) -> Any:
    """Take the type of the members of a list."""
    return (get_args(kind) or (None,))[0] if get_origin(kind) is list else kind


def _typed(path: str, kinds: tuple[Any, ...], value: Any) -> Any:
    if not kinds or not all(isinstance(t, type) and issubclass(t, _SCALARS) for t in kinds):
        return value
    if isinstance(value, bool):
        fits = bool in kinds
    elif isinstance(value, int | float):
        fits = bool({int, float} & set(kinds))
    elif isinstance(value, str):
        fits = any(issubclass(t, str | datetime | Enum) for t in kinds)
    else:
        return value
    if fits:
        return value
    raise InputError(f"{path} is compared with {value!r}: {_advice(kinds, value)}")


def _advice(kinds: tuple[Any, ...], value: Any) -> str:
    if bool in kinds:
        word = _WORDS.get(str(value).lower())
        return "write TRUE or FALSE, without quotes" + (
            "" if word is None else f": {str(word).upper()}"
        )
    if {int, float} & set(kinds):
        return "write a number, without quotes"
    return 'write a text in double quotes: "..."'


def _element(value: Any) -> Any:
    if isinstance(value, str) and value not in symbols()[1:]:
        right = value.strip().capitalize()
        hint = f": did you mean {right!r}?" if right in symbols()[1:] else ""
        raise InputError(f"elements are compared with {value!r}, which is no element{hint}")
    if not isinstance(value, str):
        raise InputError(f'elements are compared with {value!r}: write a symbol, such as "Mn"')
    return value


def _system(value: Any) -> Any:
    if not isinstance(value, str):
        raise InputError(f'chemsys is compared with {value!r}: write "Li-Mn-S"')
    return "-".join(sorted(_element(symbol.strip()) for symbol in value.split("-")))


def _formula(value: Any) -> Any:
    """Write a formula as documents do: ``LiO`` of OPTIMADE is pymatgen's ``Li2O2``."""
    if not isinstance(value, str):
        raise InputError(f'a formula is compared with {value!r}: write it in quotes, "Li2S"')
    return pretty_formula(value)
