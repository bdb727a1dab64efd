"""Largest cells that the methods can make, so that no limit is accepted that has no effect."""

from __future__ import annotations

from typing import TYPE_CHECKING

from screening.checkpoints import read_card
from screening.crystal.limits import DEFAULT_MAX_ATOMS
from screening.errors import InputError
from screening.structure.pool import CHECKPOINTS

if TYPE_CHECKING:
    from collections.abc import Iterable


def largest_cell(method: str, bank: str = "prototypes") -> int | None:
    """Find the number of atoms of the largest primitive cell that a method makes.

    Parameters
    ----------
    method
        Name of the method.
    bank
        Checkpoint of the prototypes.

    Returns
    -------
    int or None
        None where the method has no limit of its own.
    """
    if method in CHECKPOINTS:
        return int(read_card(CHECKPOINTS[method]).arguments["max_atoms"])
    if method == "prototypes":
        from screening.prototypes.bank import Bank

        return int(Bank.load(bank).class_counts.sum(axis=1).max())
    return None


def check_sizes(methods: Iterable[str], max_atoms: int, bank: str = "prototypes") -> None:
    """Refuse a limit of more than 20 atoms that some method cannot reach.

    Parameters
    ----------
    methods
        Names of the methods.
    max_atoms
        Maximum number of atoms in the cell.
    bank
        Checkpoint of the prototypes.

    Raises
    ------
    InputError
        If one of the methods makes smaller cells only.
    """
    if max_atoms <= DEFAULT_MAX_ATOMS:
        return
    sizes = {method: largest_cell(method, bank) for method in sorted(methods)}
    small = {method: size for method, size in sizes.items() if size and size < max_atoms}
    if small:
        text = ", ".join(f"{method} at most {size} atoms" for method, size in small.items())
        raise InputError(
            f"max_atoms={max_atoms} has no effect on some methods ({text}): lower max_atoms, name "
            "methods without such a limit (random), or use a bank of prototypes with larger "
            "cells (`screening bank add`)"
        )
