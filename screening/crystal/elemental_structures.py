"""Structures of the elements: what a hull needs at its corners.

Most are the 71 crystals of the DeltaCodes test set (Lejaeghere et al. 2016,
doi:10.1126/science.aad3000), as ASE ships them. That set simplifies some elements: its sulfur is
simple cubic, which CHGNet puts 0.68 eV/atom above alpha-S, so that every sulfide would look far too
stable. S, Mn and Sn are therefore taken from the AFLOW library of prototypes
(doi:10.1016/j.commatsci.2017.01.017), as are Pa, U, Np and Pu. The lanthanides, Ra, Ac and Th are
in the close-packed or bcc structure that they have at low temperature.
"""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import numpy as np

from screening.elements import atomic_number, column
from screening.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pymatgen.core import Structure

CLOSE_PACKED = {
    "fcc": ("Ce", "Yb", "Ac", "Th"),
    "bcc": ("Eu", "Ra"),
    "AB": ("Gd", "Tb", "Dy", "Ho", "Er", "Tm"),
    "ABAC": ("La", "Pr", "Nd", "Pm"),
    "ABABCBCAC": ("Sm",),
}
"""Structures of elements in neither source: cubic, or the stacking of close-packed layers."""

_LAYERS = {"A": (0.0, 0.0), "B": (1 / 3, 2 / 3), "C": (2 / 3, 1 / 3)}


def elemental_structures(elements: Iterable[str]) -> dict[str, Structure]:
    """Give the reference structure of each element, not relaxed.

    Parameters
    ----------
    elements
        Symbols.

    Returns
    -------
    dict of str to Structure
        In the order of `elements`; ``structure.properties["source"]`` says where it is from.

    Raises
    ------
    InputError
        If an element is unknown or has no reference structure, naming all of these.
    """
    found = _structures(elements)
    missing = [symbol for symbol, structure in found.items() if structure is None]
    if missing:
        raise InputError(
            f"no reference structure of the elements {missing}: import one of each (`screening "
            "references import FILE`), or leave these elements out"
        )
    return {symbol: structure for symbol, structure in found.items() if structure is not None}


def elements_without_reference(elements: Iterable[str]) -> list[str]:
    """List the elements that have no reference structure, in their order.

    Raises
    ------
    InputError
        If an element is unknown.
    """
    return [symbol for symbol, structure in _structures(elements).items() if structure is None]


def _structures(elements: Iterable[str]) -> dict[str, Structure | None]:
    symbols = list(dict.fromkeys(elements))
    for symbol in symbols:
        atomic_number(symbol)
    return {symbol: _structure(symbol) for symbol in symbols}


def _structure(symbol: str) -> Structure | None:
    if symbol in _aflow():
        return _from_aflow(symbol)
    for kind, symbols in CLOSE_PACKED.items():
        if symbol in symbols:
            return _close_packed(symbol, kind)
    return _from_dcdft(symbol)


@cache
def _aflow() -> dict[str, dict[str, Any]]:
    path = files("screening") / "data" / "elemental_structures.json"
    table: dict[str, dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    return table


def _from_aflow(symbol: str) -> Structure:
    data = _aflow()[symbol]
    source = f"AFLOW {data['aflow']}, {data['name']}"
    return _make(symbol, data["lattice"], data["frac_coords"], source)


def _from_dcdft(symbol: str) -> Structure | None:
    from ase.collections import dcdft

    if symbol not in dcdft.names:
        return None
    atoms = dcdft[symbol]
    return _make(symbol, atoms.cell[:], atoms.get_scaled_positions(), "DeltaCodes (ase dcdft)")


def _close_packed(symbol: str, kind: str) -> Structure:
    """Build a cubic cell, or a stacking of ideal hexagonal layers, with the element's volume."""
    volume = float(column("magpie_GSvolume_pa")[atomic_number(symbol)])
    if kind in {"fcc", "bcc"}:
        atoms = {"fcc": 4, "bcc": 2}[kind]
        a = (atoms * volume) ** (1 / 3)
        signs = np.ones((3, 3)) - np.eye(3) * {"fcc": 1, "bcc": 2}[kind]
        return _make(symbol, a / 2 * signs, [[0, 0, 0]], kind)
    height = np.sqrt(2 / 3)
    a = (volume / (height * np.sqrt(3) / 2)) ** (1 / 3)
    n = len(kind)
    cell = [[a, 0, 0], [-a / 2, a * np.sqrt(3) / 2, 0], [0, 0, n * height * a]]
    sites = [(*_LAYERS[layer], k / n) for k, layer in enumerate(kind)]
    return _make(symbol, cell, sites, f"close-packed {kind}")


def _make(symbol: str, cell: Any, fractional: Any, source: str) -> Structure:
    from pymatgen.core import Lattice, Structure

    return Structure(
        Lattice(cell), [symbol] * len(fractional), fractional, properties={"source": source}
    )
