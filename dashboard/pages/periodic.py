"""The periodic table as rows of cells."""

from __future__ import annotations

from dataclasses import dataclass

from screening.elements import symbols


@dataclass(frozen=True)
class Tile:
    """One element and its place.

    Attributes
    ----------
    symbol, number
        The element.
    row, column
        Where it stands, from 1; lanthanides and actinides are rows 8 and 9.
    """

    symbol: str
    number: int
    row: int
    column: int


NOBLE = (2, 10, 18, 36, 54, 86, 118)


def _place(number: int) -> tuple[int, int]:
    """Row and column of an element in the table of 18 columns."""
    if 57 <= number <= 71:
        return 8, number - 57 + 3
    if 89 <= number <= 103:
        return 9, number - 89 + 3
    row = next(i for i, last in enumerate(NOBLE) if number <= last) + 1
    first = 1 if row == 1 else NOBLE[row - 2] + 1
    before = 1 if row == 1 else 2 if row <= 3 else None
    offset = number - first
    if before is not None and offset >= before:
        return row, 18 - (NOBLE[row - 1] - number)
    if row >= 6 and offset > 2:
        return row, 18 - (NOBLE[row - 1] - number)
    return row, offset + 1


PERIODIC = tuple(
    Tile(symbol, number, *_place(number)) for number, symbol in enumerate(symbols()) if symbol
)
