"""Which Wyckoff letters a composition can still take."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from screening.structure.transformer.tables import N_GROUPS, tables


@dataclass(frozen=True)
class Letters:
    """The letters of one space group.

    Attributes
    ----------
    multiplicities
        Atoms of each letter's orbit in the primitive cell.
    fixed
        Whether a letter has no free coordinate, so that it takes one orbit only.
    """

    multiplicities: tuple[int, ...]
    fixed: tuple[bool, ...]

    @property
    def repeated(self) -> tuple[int, ...]:
        """Multiplicities of the letters that take any number of orbits."""
        pairs = zip(self.multiplicities, self.fixed, strict=True)
        return tuple(sorted({size for size, fixed in pairs if not fixed}))

    def once(self, used: frozenset[int]) -> tuple[tuple[int, int], ...]:
        """Multiplicities of the fixed letters that are not `used`, and how many have each."""
        left: dict[int, int] = {}
        for letter, (size, fixed) in enumerate(zip(self.multiplicities, self.fixed, strict=True)):
            if fixed and letter not in used:
                left[size] = left.get(size, 0) + 1
        return tuple(sorted(left.items()))

    def allowed(self, counts: dict[int, int], element: int, used: frozenset[int]) -> list[int]:
        """Letters that the next orbit of an element may take, so that all atoms find a place.

        Parameters
        ----------
        counts
            Atoms without a letter by element.
        element
            Atomic number.
        used
            Fixed letters that are taken.
        """
        found = []
        for letter, (size, fixed) in enumerate(zip(self.multiplicities, self.fixed, strict=True)):
            if size > counts[element] or (fixed and letter in used):
                continue
            left = counts | {element: counts[element] - size}
            taken = used | {letter} if fixed else used
            if fits(tuple(sorted(left.values())), self.once(taken), self.repeated):
                found.append(letter)
        return found


@cache
def letters_of(number: int) -> Letters:
    """Letters of a space group."""
    known = tables()
    tokens = known.tokens[number]
    tokens = tokens[tokens > 0]
    return Letters(
        tuple(known.multiplicities[tokens].tolist()),
        tuple((~known.free[tokens].any(dim=1)).tolist()),
    )


@cache
def fits(
    counts: tuple[int, ...], once: tuple[tuple[int, int], ...], repeated: tuple[int, ...]
) -> bool:
    """Tell whether orbits can hold so many atoms of each element.

    Parameters
    ----------
    counts
        Atoms of each element, ascending.
    once
        Multiplicities that can be used a number of times, and how often.
    repeated
        Multiplicities that can be used any number of times.
    """
    counts = tuple(count for count in counts if not _is_sum(count, repeated))
    if not counts:
        return True
    for place, (size, number) in enumerate(once):
        if number and size <= counts[0]:
            left = (*once[:place], (size, number - 1), *once[place + 1 :])
            if fits(tuple(sorted((counts[0] - size, *counts[1:]))), left, repeated):
                return True
    return False


@cache
def _is_sum(count: int, sizes: tuple[int, ...]) -> bool:
    return count == 0 or any(size <= count and _is_sum(count - size, sizes) for size in sizes)


@cache
def possible_groups(counts: tuple[int, ...]) -> tuple[int, ...]:
    """Space groups in which a primitive cell can hold so many atoms of each element."""
    letters = ((number, letters_of(number)) for number in range(1, N_GROUPS + 1))
    return tuple(
        number
        for number, own in letters
        if fits(tuple(sorted(counts)), own.once(frozenset()), own.repeated)
    )
