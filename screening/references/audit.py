"""Reference energies that cannot be right, by what a newer source says of their neighbours.

A file of formation energies has some that are wrong by eV, and one such compound makes all of its
neighbours unstable. Crystals whose distance to the hull of their own source is known tell: the hull
of the table must not be far below theirs.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from screening.references.diagram import place_compositions

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from screening.references.table import ReferenceTable

MARGIN = 0.05
"""A hull this far below the known one (eV/atom) has a competitor too many."""
NEXT = 0.02
"""The next crystal of a formula is at least so much higher (eV/atom): not the same one again."""
ROUNDS = 8
"""Largest number of rounds: a suspect that is taken out may have hidden another one."""

Energies = dict[str, tuple[float, int]]
"""Energy (eV/atom) by formula, with the number of its source."""


def suspects(
    table: ReferenceTable, hull_energies: Mapping[str, float], trusted: int = 0
) -> tuple[set[str], list[str]]:
    """Find compounds of a table that are too low.

    Parameters
    ----------
    table
        The table.
    hull_energies
        Formation energy of the hull (eV/atom) at compositions where it is known, on its scale.
    trusted
        Number of the source whose energies are beyond doubt.

    Returns
    -------
    compounds
        Those of other sources that compete at more compositions where the hull is too low than
        where it is not.
    violated
        Compositions where the hull is too low.
    """
    origins = dict(zip(table.formulas, table.origins.tolist(), strict=True))
    bad: Counter[str] = Counter()
    good: Counter[str] = Counter()
    violated = []
    for placement in place_compositions(table, list(hull_energies)):
        doubtful = [name for name in placement.products if origins.get(name, trusted) != trusted]
        if placement.competing_energy < hull_energies[placement.formula] - MARGIN:
            violated.append(placement.formula)
            bad.update(doubtful)
        else:
            good.update(doubtful)
    return {name for name, count in bad.items() if count > good[name]}, violated


def without_suspects(
    energies: Energies,
    crystals: Sequence[Mapping[str, Sequence[float]]],
    hull_energies: Mapping[str, float],
    make_table: Callable[[Energies], ReferenceTable],
) -> tuple[Energies, list[str]]:
    """Replace energies that are too low by those of the next crystal, or leave the compound out.

    Parameters
    ----------
    energies
        What the table would hold.
    crystals
        For each source, energies of all crystals of a formula on the scale of the table, ascending.
    hull_energies
        As in `suspects`.
    make_table
        Makes a table.

    Returns
    -------
    energies
        What the table is to hold.
    replaced
        Formulas whose energy was replaced or left out, sorted.
    """
    result, replaced, checked = dict(energies), set(), dict(hull_energies)
    for _ in range(ROUNDS):
        too_low, violated = suspects(make_table(result), checked)
        if not too_low:
            break
        for name in too_low:
            energy, origin = result.pop(name)
            higher = [value for value in crystals[origin][name] if value > energy + NEXT]
            if higher:
                result[name] = (higher[0], origin)
        replaced |= too_low
        checked = {name: checked[name] for name in violated}
    return result, sorted(replaced)
