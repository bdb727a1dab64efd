"""The documentation of the JSON API, read from its own schema."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Parameter:
    """One parameter of an address: name, type, default, description."""

    name: str
    kind: str
    default: str
    description: str


@dataclass(frozen=True)
class Endpoint:
    """One address: path, what it answers, parameters and the fields of the answer."""

    path: str
    description: str
    answer: str
    parameters: list[Parameter]
    fields: list[Parameter]


def endpoints(schema: dict[str, Any]) -> list[Endpoint]:
    """List the addresses of an OpenAPI schema."""
    models = schema.get("components", {}).get("schemas", {})
    return [_endpoint(path, methods["get"], models) for path, methods in schema["paths"].items()]


def _endpoint(path: str, operation: dict[str, Any], models: dict[str, Any]) -> Endpoint:
    content = operation["responses"]["200"].get("content", {})
    answer = content.get("application/json", {}).get("schema", {})
    model = models.get(_kind(answer).removeprefix("list of "), {})
    return Endpoint(
        path=path,
        description=operation.get("description", operation.get("summary", "")),
        answer=_kind(answer),
        parameters=[
            _parameter(item["name"], item["schema"], item.get("description"))
            for item in operation.get("parameters", [])
        ],
        fields=[
            _parameter(name, field, None) for name, field in model.get("properties", {}).items()
        ],
    )


def _parameter(name: str, schema: dict[str, Any], description: str | None) -> Parameter:
    default = schema.get("default")
    return Parameter(
        name=name,
        kind=_kind(schema),
        default="" if default is None else str(default),
        description=description or schema.get("description", ""),
    )


def _kind(schema: dict[str, Any]) -> str:
    """Name the type of a value in words."""
    if "enum" in schema:
        return ", ".join(map(str, schema["enum"]))
    if "anyOf" in schema:
        kinds = [_kind(item) for item in schema["anyOf"] if item.get("type") != "null"]
        return " or ".join(kinds)
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if schema.get("type") == "array":
        return f"list of {_kind(schema.get('items', {}))}"
    return str(schema.get("type", "file"))
