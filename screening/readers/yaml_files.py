"""YAML from strangers: plain values only, no name given twice, few aliases, little depth."""

from __future__ import annotations

from typing import Any

import yaml

MAX_ALIASES = 20
"""Aliases in a document; ten levels of ten would be ten thousand million values."""
MAX_DEPTH = 30
"""Lists and mappings inside each other."""
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _StrictLoader(_Loader):
    """Knows plain values only, and refuses a name that is given twice."""

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:  # noqa: FBT001, FBT002
        """Build a mapping; merged ones (``<<``) may be overridden."""
        lines: dict[Any, int] = {}
        for key, _ in node.value:
            name, line = key.value, key.start_mark.line + 1
            if isinstance(key, yaml.ScalarNode) and name in lines and name != "<<":
                raise yaml.constructor.ConstructorError(
                    None,
                    None,
                    f"{name[:100]!r} is given twice, first in line {lines[name]}: merge them",
                    key.start_mark,
                )
            lines[name if isinstance(key, yaml.ScalarNode) else id(key)] = line
        return super().construct_mapping(node, deep=deep)


def load_yaml(text: str) -> Any:
    """Read one YAML document.

    Raises
    ------
    yaml.MarkedYAMLError
        If it is not valid, gives a name twice, is nested too deep or has too many aliases; with
        line and column.
    yaml.YAMLError
        For anything else.
    """
    _check_size(text)
    return yaml.load(text, _StrictLoader)  # noqa: S506 - a subclass of the safe loader


def _check_size(text: str) -> None:
    """Count depth and aliases from the events: building comes after, and recursively."""
    depth = aliases = 0
    for event in yaml.parse(text, _Loader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        elif isinstance(event, yaml.AliasEvent):
            aliases += 1
        if depth > MAX_DEPTH or aliases > MAX_ALIASES:
            what = (
                f"is nested more than {MAX_DEPTH} deep"
                if depth > MAX_DEPTH
                else f"has more than {MAX_ALIASES} aliases"
            )
            mark: Any = event.start_mark
            raise yaml.composer.ComposerError(None, None, what, mark)
