"""Checks the fields of Makers against their annotations: one definition for Python and YAML.

A Maker's dataclass fields, with pydantic constraints in ``Annotated``, are the schema of the
campaign file. jobflow's Makers bring their own pydantic hook, so the models are made from the
fields here.
"""

from __future__ import annotations

import dataclasses
import difflib
from functools import cache
from types import MappingProxyType
from typing import Any, TypeVar, get_type_hints

from jobflow import Maker
from pydantic import BaseModel, ConfigDict, ValidationError, create_model

from screening.errors import ConfigError
from screening.readers.limits import excerpt, quote

M = TypeVar("M", bound=Maker)
_HIDDEN = {"name"}
"""Fields of sub-makers that are not part of a file."""


ADDED = MappingProxyType({"added": True})
"""Metadata of a field that earlier versions did not have, and whose default changes no result.

While the field has its default, it is left out of the identity of tasks and campaigns, so that what
an earlier version finished stays finished: ``field(default=..., metadata=ADDED)``.
"""


def identity_fields(maker: Any) -> dict[str, Any]:
    """Return the fields that make up a Maker's identity: all but its name and unused added ones."""
    return {
        field.name: getattr(maker, field.name)
        for field in dataclasses.fields(maker)
        if field.name not in _HIDDEN and not (_is_unused(field, getattr(maker, field.name)))
    }


def _is_unused(field: dataclasses.Field[Any], value: Any) -> bool:
    """Tell whether an added field has its default."""
    if "added" not in field.metadata:
        return False
    if field.default_factory is not dataclasses.MISSING:
        return bool(value == field.default_factory())
    return bool(value == field.default)


def _default(field: dataclasses.Field[Any]) -> Any:
    if field.default_factory is not dataclasses.MISSING:
        from pydantic import Field

        return Field(default_factory=field.default_factory)
    return ... if field.default is dataclasses.MISSING else field.default


def _is_maker(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Maker)


@cache
def field_model(maker: Any) -> type[BaseModel]:
    """Make the pydantic model of a Maker's own fields; sub-makers are taken as they are."""
    hints = get_type_hints(maker, include_extras=True)
    fields: dict[str, Any] = {
        field.name: (Any if _is_maker(hints[field.name]) else hints[field.name], _default(field))
        for field in dataclasses.fields(maker)
    }
    return create_model(
        maker.__name__, __config__=ConfigDict(extra="forbid", allow_inf_nan=False), **fields
    )


def check_fields(maker: Maker) -> None:
    """Check and convert the field values of a Maker in place.

    Raises
    ------
    ConfigError
        If a value has the wrong type or is out of range.
    """
    values = {field.name: getattr(maker, field.name) for field in dataclasses.fields(maker)}
    model: type[BaseModel] = field_model(type(maker))  # type: ignore[arg-type]
    try:
        checked = model(**values)
    except ValidationError as error:
        raise ConfigError(_explain(error, type(maker), "")) from None
    for name in values:
        setattr(maker, name, getattr(checked, name))


def build_maker(maker: type[M], values: Any, path: str = "") -> M:
    """Build a Maker, and the Makers inside it, from plain nested dictionaries.

    Parameters
    ----------
    maker
        Class to build.
    values
        Its fields by name; sections of sub-makers are dictionaries again.
    path
        Where the values are, for messages.

    Raises
    ------
    ConfigError
        If a name is unknown or a value is wrong; the message says where.
    """
    if values is None:
        values = {}
    if not isinstance(values, dict):
        raise ConfigError(
            f"{path or 'the file'} must hold 'name: value' lines, not {quote(values)}"
        )
    hints = get_type_hints(maker)
    known = [f.name for f in dataclasses.fields(maker) if not path or f.name not in _HIDDEN]
    for name in values:
        if name not in known:
            raise ConfigError(_unknown(str(name), known, path))
    arguments = {
        name: build_maker(hints[name], value, f"{path}{name}.") if _is_maker(hints[name]) else value
        for name, value in values.items()
    }
    _refuse_booleans(arguments, hints, path)
    model: type[BaseModel] = field_model(maker)  # type: ignore[arg-type]
    try:
        model(**arguments)
    except ValidationError as error:
        raise ConfigError(_explain(error, maker, path)) from None
    built: M = maker(**arguments)
    return built


def _unknown(name: str, known: list[str], path: str) -> str:
    name = excerpt(name)
    close = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {close[0]!r}?" if close else f"known are {known}"
    return f"unknown name {path + name!r}: {hint}"


def _explain(error: ValidationError, maker: type[Maker], path: str) -> str:
    first = error.errors(include_input=True)[0]
    where = path + ".".join(str(part) for part in first["loc"])
    return f"{where or maker.__name__} = {quote(first['input'])}: {first['msg']}"


def _refuse_booleans(arguments: dict[str, Any], hints: dict[str, Any], path: str) -> None:
    """Refuse true and false where a number or a text belongs, which YAML reads from NO or Yes.

    Raises
    ------
    ConfigError
        If there is one.
    """
    for name, value in arguments.items():
        hint = str(hints[name])
        if "bool" not in hint and "Any" not in hint and _has_boolean(value):
            raise ConfigError(
                f"{path}{name} = {quote(value)}: no true or false belongs here; YAML reads NO, "
                "Yes, On and Off as such: write them in quotes, 'NO'"
            )


def _has_boolean(value: Any) -> bool:
    if isinstance(value, dict):
        return any(_has_boolean(item) for pair in value.items() for item in pair)
    if isinstance(value, (list, tuple)):
        return any(_has_boolean(item) for item in value)
    return isinstance(value, bool)
