"""Further crystals to learn from: what the bank expects of compositions without a known crystal.

A network that sees only compositions needs many of them. Where one prototype is likely, the crystal
that it gives with the composition's elements is nearly as good a lesson as a known one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from screening.composition import parse_formula
from screening.crystal.crystals import primitive_cell
from screening.elements import column
from screening.errors import InputError
from screening.progress import report
from screening.prototypes.retrieval import Query
from screening.structure.alphacrystal.data import Crystals, inputs_of, ordered_cell

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from numpy.typing import NDArray

    from screening.crystal.crystals import Cell
    from screening.prototypes.bank import Bank

LEAST_SHARE = 0.3
"""Share of the likelihood of all prototypes that the first must have."""


def further_crystals(
    bank: Bank,
    formulas: Sequence[str],
    n: int,
    *,
    max_atoms: int,
    without: Collection[str],
    seed: int,
) -> tuple[Crystals, list[str]]:
    """Decorate the likeliest prototypes of compositions drawn from a list.

    Parameters
    ----------
    bank
        The bank; it must not know the crystals that are measured later.
    formulas
        Canonical formulas (`canonical_formulas`); those of metals only are left out.
    n
        How many crystals are wanted; fewer if the list ends.
    max_atoms
        Most atoms in the cell.
    without
        Formulas that are left out: those that are known, and those that are measured.
    seed
        Seed of the draw.

    Returns
    -------
    Crystals without templates, and their formulas.

    Raises
    ------
    InputError
        If no composition has a likely prototype.
    """
    excluded, is_metal = set(without), column("is_metal") == 1
    cells: list[tuple[NDArray[np.int64], NDArray[np.float64]]] = []
    chosen: list[str] = []
    for place in np.random.default_rng(seed).permutation(len(formulas)).tolist():
        if len(cells) >= n:
            break
        formula = formulas[place]
        if formula in excluded:
            continue
        excluded.add(formula)
        composition = parse_formula(formula)
        if sum(composition.values()) > max_atoms or is_metal[list(composition)].all():
            continue
        cell = likely_cell(bank, composition, max_atoms)
        if cell is not None:
            cells.append(ordered_cell(cell))
            chosen.append(formula)
            report("further crystals", len(cells), n)
    if not cells:
        raise InputError("no composition of the second file has a likely prototype in the bank")
    distances = np.zeros((len(cells), max_atoms, max_atoms), np.float32)
    for own, (z, matrix) in zip(distances, cells, strict=True):
        own[: len(z), : len(z)] = matrix
    inputs = inputs_of([z for z, _ in cells], [None] * len(cells), max_atoms)
    return Crystals(inputs, distances, distances, np.full_like(distances, np.nan)), chosen


def likely_cell(bank: Bank, composition: dict[int, int], max_atoms: int) -> Cell | None:
    """Give the primitive cell of the likeliest prototype; None if none is likely or small enough.

    Parameters
    ----------
    bank
        The bank.
    composition
        Atomic number -> atoms in the formula unit.
    max_atoms
        Most atoms in the cell.
    """
    one = sum(composition.values())
    sizes = [size for size in range(one, max_atoms + 1, one) if size > 1]
    candidates = Query(bank, composition, n_atoms=sizes).best(1)
    if not candidates or candidates[0].log_likelihood < np.log(LEAST_SHARE):
        return None
    first = candidates[0]
    cell = primitive_cell(bank.decorated(first.prototype, first.elements, first.volume))
    return cell if len(cell[2]) in sizes else None
