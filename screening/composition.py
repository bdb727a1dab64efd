"""Packed compositions: millions of formulas as two small integer arrays."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from screening.elements import MAX_Z, atomic_number, column, symbols
from screening.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

MAX_COUNT = np.iinfo(np.uint16).max
_PLAIN = re.compile(r"(?:[A-Z][a-z]?\d*)+")
_PAIR = re.compile(r"([A-Z][a-z]?)(\d*)")
_TOKEN = re.compile(r"([A-Z][a-z]?|[()\[\]])(\d*)")


def parse_formula(formula: str) -> dict[int, int]:
    """Parse a formula with integer amounts (brackets allowed) into ``{atomic number: count}``.

    Raises
    ------
    InputError
        If the text is not a formula, an element is unknown, or an amount is not an integer from
        1 to 65535.
    """
    text = formula.strip() if isinstance(formula, str) else ""
    if _PLAIN.fullmatch(text):
        pairs = [(atomic_number(symbol), int(count or 1)) for symbol, count in _PAIR.findall(text)]
    else:
        pairs = _parse_brackets(text, formula)
    counts: dict[int, int] = {}
    for number, count in pairs:
        counts[number] = counts.get(number, 0) + count
    if not counts or not all(0 < count <= MAX_COUNT for count in counts.values()):
        raise InputError(f"{formula=} has an amount outside 1 to {MAX_COUNT}")
    return counts


def _parse_brackets(text: str, formula: str) -> list[tuple[int, int]]:
    """Parse a formula with round or square brackets."""
    stack: list[list[tuple[int, int]]] = [[]]
    tokens = _TOKEN.findall(text)
    if not tokens or "".join(a + b for a, b in tokens) != text:
        raise InputError(f"{formula!r} is not a formula with integer amounts, such as Li3MnS4")
    for symbol, amount in tokens:
        if symbol in "([":
            stack.append([])
        elif symbol in ")]" and len(stack) > 1:
            group = stack.pop()
            stack[-1] += [(number, count * int(amount or 1)) for number, count in group]
        elif symbol in ")]":
            raise InputError(f"unbalanced brackets in {formula=}")
        else:
            stack[-1].append((atomic_number(symbol), int(amount or 1)))
    if len(stack) != 1:
        raise InputError(f"unbalanced brackets in {formula=}")
    return stack[0]


@cache
def _formula_order() -> NDArray[np.int64]:
    """Rank of each element in a written formula: by electronegativity, then by symbol."""
    negativity = np.nan_to_num(column("electronegativity"), nan=9.0)
    order = sorted(range(1, MAX_Z + 1), key=lambda z: (negativity[z], symbols()[z]))
    rank = np.zeros(MAX_Z + 1, dtype=np.int64)
    rank[order] = np.arange(1, MAX_Z + 1)
    return rank


@dataclass(frozen=True)
class CompositionArray:
    """Many compositions, one per row.

    Attributes
    ----------
    numbers
        Atomic numbers, shape ``(n, m)``, uint8, ascending in each row, padded with 0 at the end.
    counts
        Atoms per formula unit, shape ``(n, m)``, uint16, 0 where `numbers` is 0.
    """

    numbers: NDArray[np.uint8]
    counts: NDArray[np.uint16]

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, index: Any) -> CompositionArray:
        """Select rows by slice, mask or index array."""
        return CompositionArray(self.numbers[index], self.counts[index])

    @classmethod
    def from_formulas(cls, formulas: Sequence[str]) -> Self:
        """Parse formulas; see `parse_formula` for the errors."""
        return cls.from_counts([parse_formula(formula) for formula in formulas])

    @classmethod
    def from_counts(cls, counts: Sequence[dict[int, int]]) -> Self:
        """Pack ``{atomic number: count}`` mappings."""
        width = max((len(row) for row in counts), default=1)
        numbers = np.zeros((len(counts), width), dtype=np.uint8)
        amounts = np.zeros((len(counts), width), dtype=np.uint16)
        for i, row in enumerate(counts):
            keys = sorted(row)
            numbers[i, : len(keys)] = keys
            amounts[i, : len(keys)] = [row[key] for key in keys]
        return cls(numbers, amounts)

    @classmethod
    def concatenate(cls, parts: Sequence[CompositionArray]) -> Self:
        """Stack arrays of different widths."""
        width = max((part.numbers.shape[1] for part in parts), default=1)
        pad = [((0, 0), (0, width - part.numbers.shape[1])) for part in parts]
        numbers = [np.pad(part.numbers, p) for part, p in zip(parts, pad, strict=True)]
        counts = [np.pad(part.counts, p) for part, p in zip(parts, pad, strict=True)]
        if not parts:
            return cls(np.zeros((0, 1), np.uint8), np.zeros((0, 1), np.uint16))
        return cls(np.concatenate(numbers), np.concatenate(counts))

    def reduced(self) -> CompositionArray:
        """Divide each row by its greatest common divisor."""
        divisor = np.gcd.reduce(self.counts, axis=1, keepdims=True)
        return CompositionArray(self.numbers, self.counts // np.maximum(divisor, 1))

    def formulas(self) -> list[str]:
        """Write formulas without brackets, elements by electronegativity (then symbol)."""
        order = np.argsort(
            np.where(self.numbers > 0, _formula_order()[self.numbers], MAX_Z + 1), axis=1
        )
        numbers = np.take_along_axis(self.numbers, order, axis=1).tolist()
        counts = np.take_along_axis(self.counts, order, axis=1).tolist()
        names = symbols()
        return [
            "".join(names[z] + (str(c) if c > 1 else "") for z, c in zip(zs, cs, strict=True) if z)
            for zs, cs in zip(numbers, counts, strict=True)
        ]

    def fractions(self) -> NDArray[np.float64]:
        """Atomic fractions, shape ``(n, m)``, rows sum to 1."""
        total = self.counts.sum(axis=1, keepdims=True, dtype=np.float64)
        fractions: NDArray[np.float64] = self.counts / np.maximum(total, 1)
        return fractions

    def n_atoms(self) -> NDArray[np.int64]:
        """Atoms per formula unit, shape ``(n,)``."""
        atoms: NDArray[np.int64] = self.counts.sum(axis=1, dtype=np.int64)
        return atoms

    def n_elements(self) -> NDArray[np.int64]:
        """Distinct elements, shape ``(n,)``."""
        elements: NDArray[np.int64] = (self.numbers > 0).sum(axis=1)
        return elements

    def keys(self) -> NDArray[np.void]:
        """One comparable byte string per row, shape ``(n,)``: equal rows have equal keys."""
        packed = np.concatenate(
            [self.numbers.astype(np.uint16), self.counts.astype(np.uint16)], axis=1
        )
        packed = np.ascontiguousarray(packed)
        return packed.view(np.dtype((np.void, packed.dtype.itemsize * packed.shape[1])))[:, 0]

    def unique(self) -> CompositionArray:
        """Drop repeated rows; the first of each and the order stay."""
        first = np.unique(self.keys(), return_index=True)[1]
        return self[np.sort(first)]


def pretty_formula(formula: str) -> str:
    """Reduce a formula and write it as pymatgen and the Materials Project do (``Fe2(SO4)3``)."""
    from pymatgen.core import Composition

    counts = parse_formula(formula)
    names = symbols()
    reduced: str = Composition({names[z]: n for z, n in counts.items()}).reduced_formula
    return reduced


def chemical_system(formula: str) -> str:
    """Element symbols in alphabetical order, joined by hyphens (``Li-Mn-S``)."""
    return "-".join(sorted(symbols()[z] for z in parse_formula(formula)))


def n_atoms(formula: str) -> int:
    """Atoms per formula unit, as written (not reduced)."""
    return sum(parse_formula(formula).values())
