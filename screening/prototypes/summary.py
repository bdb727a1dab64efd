"""What a bank holds: its commonest prototypes, stoichiometries, and the elements on each orbit."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from screening.crystal.space_groups import LETTERS, space_group
from screening.elements import symbols
from screening.errors import InputError

if TYPE_CHECKING:
    from screening.prototypes.bank import Bank

AXES = ("x", "y", "z")


def anonymous(counts: list[int]) -> str:
    """Write ascending counts as ``AB2C3``, reduced."""
    divisor = int(np.gcd.reduce(counts))
    return "".join(
        chr(ord("A") + i) + (str(count // divisor) if count > divisor else "")
        for i, count in enumerate(counts)
    )


def _stoichiometries(bank: Bank) -> list[str]:
    """Anonymised stoichiometry of each prototype."""
    return [anonymous([n for n in row if n]) for row in bank.class_counts.tolist()]


def summarise(bank: Bank, limit: int) -> dict[str, Any]:
    """Count what a bank holds.

    Parameters
    ----------
    bank
        The bank.
    limit
        Longest lists.

    Returns
    -------
    ``prototypes``, ``decorations``, ``elements`` (numbers), and lists, the commonest first:
    ``commonest`` prototypes and ``stoichiometries``.
    """
    known = np.bincount(bank.prototypes, minlength=bank.n_prototypes)
    kinds = _stoichiometries(bank)
    order = np.argsort(-known, kind="stable")[:limit].tolist()
    prototypes = Counter(kinds)
    decorations: Counter[str] = Counter()
    for kind, n in zip(kinds, known.tolist(), strict=True):
        decorations[kind] += n
    return {
        "prototypes": bank.n_prototypes,
        "decorations": len(bank),
        "elements": len(np.unique(bank.elements[bank.elements > 0])),
        "commonest": [
            {
                "prototype": bank.name(place),
                "space_group": space_group(int(bank.groups[place])).symbol,
                "stoichiometry": kinds[place],
                "atoms": int(bank.primitive_atoms[place]),
                "decorations": int(known[place]),
            }
            for place in order
        ],
        "stoichiometries": [
            {"stoichiometry": kind, "prototypes": prototypes[kind], "decorations": n}
            for kind, n in decorations.most_common(limit)
        ],
    }


def describe_prototype(bank: Bank, label: str) -> list[dict[str, Any]]:
    """Describe the prototypes that a label names.

    Parameters
    ----------
    bank
        The bank.
    label
        As `Bank.name` writes it, such as ``ABC3_cP5_221_a_b_c-1``; without the number at its end,
        all variants.

    Returns
    -------
    For each: space group, cell (axis ratios, angles in degrees), multiples of the primitive cell
    that are known, and its orbits with their free coordinates and how often each element is known
    there.

    Raises
    ------
    InputError
        If the bank has no such prototype.
    """
    parts = label.split("_")
    number = int(parts[2]) if len(parts) > 2 and parts[2].isdigit() else 0
    names = {place: bank.name(place) for place in np.flatnonzero(bank.groups == number).tolist()}
    found = [place for place, name in names.items() if label in {name, name.rpartition("-")[0]}]
    if not found:
        raise InputError(
            f"no prototype {label!r}: use a label that `screening bank show` or `predict` prints, "
            "such as ABC3_cP5_221_a_b_c-1"
        )
    return [_describe(bank, place, names[place]) for place in found]


def _describe(bank: Bank, place: int, name: str) -> dict[str, Any]:
    crystal = bank.crystal(place)
    group = crystal.group
    rows = np.flatnonzero(bank.prototypes == place)
    a, b, c, alpha, beta, gamma = crystal.cell.tolist()
    multiples = Counter((bank.n_atoms[rows] // bank.primitive_atoms[place]).tolist())
    return {
        "prototype": name,
        "space_group": f"{group.symbol} ({group.number})",
        "decorations": len(rows),
        "cell": {"b/a": b / a, "c/a": c / a, "alpha": alpha, "beta": beta, "gamma": gamma},
        "cell_multiples": dict(sorted(multiples.items())),
        "orbits": [
            {
                "wyckoff": f"{group.positions[letter].multiplicity}{LETTERS[letter]}",
                "class": chr(ord("A") + kind),
                "free": ", ".join(
                    f"{axis} {value:.4f}"
                    for axis, value, free in zip(
                        AXES, parameters, group.positions[letter].free, strict=True
                    )
                    if free
                ),
                "elements": _elements(bank.elements[rows, kind].tolist()),
            }
            for letter, kind, parameters in zip(
                crystal.letters.tolist(),
                crystal.species.tolist(),
                crystal.parameters.tolist(),
                strict=True,
            )
        ],
    }


def _elements(numbers: list[int]) -> dict[str, int]:
    """How often each element occurs, the commonest first."""
    return {symbols()[z]: n for z, n in Counter(numbers).most_common()}
