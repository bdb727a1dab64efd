"""The grammar of CIF: blocks, data names, loops and text fields.

Hall, Allen & Brown 1991, doi:10.1107/S010876739101067X, and CIF 2.0 (Bernstein et al. 2016,
doi:10.1107/S1600576715021871) as far as structures use it. Data names do not depend on case, and
the dots of the newer dictionaries are read as underscores.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from screening.readers.limits import excerpt

if TYPE_CHECKING:
    from collections.abc import Iterator

_TOKEN = re.compile(
    r"""
    (?P<comment>\#[^\n]*)
  | ^;(?P<text>(?s:.*?))\n;
  | '''(?P<triple>(?s:.*?))'''(?=\s|\Z)
  | '(?P<single>[^\n]*?)'(?=\s|\Z)
  | "(?P<double>[^\n]*?)"(?=\s|\Z)
  | \[(?P<list>[^\[\]\n]*)\](?=\s|\Z)
  | (?P<bare>\S+)
    """,
    re.VERBOSE | re.MULTILINE,
)
_QUOTED = ("text", "triple", "single", "double", "list")
_LONGEST_LINE = 20_000
"""Characters; CIF allows 2048. Lines of any length would make the search for quotes quadratic."""
_NOTHING = {"?", "."}
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eEdD][+-]?\d+)?(\(\d+\))?")


@dataclass
class CifBlock:
    """One data block.

    Attributes
    ----------
    name
        Name after ``data_``.
    values
        Data name, in small letters with underscores, -> its values; one where it is in no loop.
    repeated
        Data names that are given more than once with different values.
    """

    name: str
    values: dict[str, list[str]] = field(default_factory=dict)
    repeated: set[str] = field(default_factory=set)

    def put(self, name: str, values: list[str]) -> None:
        """Keep the values of a data name."""
        key = name.lower().replace(".", "_")
        if key in self.values and self.values[key] != values:
            self.repeated.add(key)
        self.values[key] = values

    def column(self, *names: str) -> list[str] | None:
        """Values of the first of the names that is given."""
        for name in names:
            if name in self.values:
                if name in self.repeated:
                    raise ValueError(f"gives {name} more than once, with different values")
                return self.values[name]
        return None

    def text(self, *names: str) -> str | None:
        """First value that is given (neither ``?`` nor ``.``) under one of the names."""
        for name in names:
            values = self.column(name)
            if values and values[0].strip() not in _NOTHING | {""}:
                return values[0].strip()
        return None

    def number(self, *names: str) -> float | None:
        """Read `text` as a number; None where there is none.

        Raises
        ------
        ValueError
            If it is something else.
        """
        text = self.text(*names)
        return None if text is None else number_of(text)


def number_of(text: str) -> float:
    """Read ``1.234(5)`` without its uncertainty.

    Raises
    ------
    ValueError
        If it is no number.
    """
    match = _NUMBER.fullmatch(text.strip())
    if not match:
        raise ValueError(f"gives {excerpt(text)!r} where a number belongs")
    return float(re.sub(r"\(\d+\)", "", match.group()).translate({68: "e", 100: "e"}))


def decimals_of(text: str) -> float:
    """Half a unit of the last digit of a number as it is written."""
    digits = re.sub(r"\(.*|[eEdD].*", "", text.strip())
    return 0.5 * 10.0 ** -len(digits.partition(".")[2])


def blocks_of(text: str) -> list[CifBlock]:
    """Read all blocks of a CIF; lines inside text fields start no block.

    Raises
    ------
    ValueError
        If a loop has rows of different lengths, or a line is endless.
    """
    if any(len(line) > _LONGEST_LINE for line in text.split("\n")):
        raise ValueError(f"has a line of more than {_LONGEST_LINE} characters")
    blocks: list[CifBlock] = []
    tokens = _Tokens(text)
    while (token := tokens.take()) is not None:
        kind, value = token
        word = value.lower() if kind == "bare" else ""
        if word.startswith("data_"):
            blocks.append(CifBlock(value[5:]))
        elif not blocks:
            continue
        elif word == "loop_":
            _read_loop(tokens, blocks[-1])
        elif word.startswith("_"):
            following = tokens.take_value()
            blocks[-1].put(value, [following if following is not None else "?"])
    return blocks


class _Tokens:
    """Tokens of a CIF, one ahead."""

    def __init__(self, text: str) -> None:
        self._tokens = self._split(text)
        self._ahead = next(self._tokens, None)

    @staticmethod
    def _split(text: str) -> Iterator[tuple[str, str]]:
        for match in _TOKEN.finditer(text):
            kind = match.lastgroup or "bare"
            if kind != "comment":
                yield ("quoted" if kind in _QUOTED else "bare", match.group(kind))

    def take(self) -> tuple[str, str] | None:
        """Next token."""
        token, self._ahead = self._ahead, next(self._tokens, None)
        return token

    def take_name(self) -> str | None:
        """Next token, if it is a data name."""
        if self._ahead is None or self._ahead[0] != "bare" or self._ahead[1][0] != "_":
            return None
        return self.take()[1]  # type: ignore[index]

    def take_value(self) -> str | None:
        """Next token, if it is a value."""
        if self._ahead is None:
            return None
        kind, value = self._ahead
        word = value.lower()
        starts = ("_", "data_", "loop_", "save_", "global_", "stop_")
        if kind == "bare" and word.startswith(starts):
            return None
        self.take()
        return value


def _read_loop(tokens: _Tokens, block: CifBlock) -> None:
    """Read the names of a loop, then its rows."""
    names, values = [], []
    while (name := tokens.take_name()) is not None:
        names.append(name)
    while (value := tokens.take_value()) is not None:
        values.append(value)
    if names and len(values) % len(names):
        if any("atom_site" in name or "sym" in name for name in map(str.lower, names)):
            raise ValueError(
                f"has a loop of {len(names)} columns ({excerpt(names[0])}, ...) with {len(values)} "
                "values: a row is incomplete"
            )
        return
    for column, name in enumerate(names):
        block.put(name, values[column :: len(names)])
