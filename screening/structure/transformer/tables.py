"""What the network knows of space groups and Wyckoff positions, as tensors.

A Wyckoff token is a pair of space group and letter: 1,731 of them, counted from 1; 0 is "unknown".
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from screening.crystal.space_groups import LETTERS, SpaceGroup, space_group
from screening.crystal.systems import FAMILIES

if TYPE_CHECKING:
    from numpy.typing import NDArray

N_GROUPS = 230
MAX_LETTERS = len(LETTERS)

_CENTRINGS = "PACIFR"
_FREE_CELL = {
    "triclinic": (0, 1, 2, 3, 4, 5),
    "monoclinic": (0, 1, 2, 4),
    "orthorhombic": (0, 1, 2),
    "tetragonal": (0, 2),
    "hexagonal": (0, 2),
    "cubic": (0,),
}
"""Free parameters of the conventional cell: a, b, c, alpha, beta, gamma."""


@dataclass(frozen=True)
class Tables:
    """Properties of space groups (row 0: unknown) and of Wyckoff tokens (row 0: unknown).

    Attributes
    ----------
    tokens
        Token of each letter of each group, 0 where there is none, int64 ``(231, 27)``.
    multiplicities
        Atoms of a token's orbit in the primitive cell, int64 ``(1732,)``.
    free
        Which of x, y, z a token leaves free, bool ``(1732, 3)``.
    token_features
        Multiplicity, site symmetry, and first position of each token, float32 ``(1732, f)``.
    group_features
        Crystal system, centring, order and inversion, float32 ``(231, g)``.
    cell_free
        Which cell parameters are free, bool ``(231, 6)``.
    cell_source
        The parameter that each one is equal to, int64 ``(231, 6)``.
    cell_fixed
        Angles (degrees) that are not free, 0 elsewhere, float32 ``(231, 6)``.
    """

    tokens: Tensor
    multiplicities: Tensor
    free: Tensor
    token_features: Tensor
    group_features: Tensor
    cell_free: Tensor
    cell_source: Tensor
    cell_fixed: Tensor


@cache
def tables(device: str = "cpu") -> Tables:
    """Make the tables (0.3 s, once)."""
    if device != "cpu":
        own = tables()
        return Tables(*(getattr(own, item.name).to(device) for item in fields(own)))
    groups = [space_group(number) for number in range(1, N_GROUPS + 1)]
    tokens = np.zeros((N_GROUPS + 1, MAX_LETTERS), dtype=np.int64)
    multiplicities, free, features = [0], [np.zeros(3, dtype=bool)], []
    for group in groups:
        for letter, position in enumerate(group.positions):
            tokens[group.number, letter] = len(multiplicities)
            multiplicities.append(position.multiplicity // group.n_centring)
            free.append(position.free)
            features.append(_position_features(group, letter))
    cells = [_cell_rules(group.crystal_system) for group in groups]
    rules = [np.stack(column) for column in zip(_cell_rules("triclinic"), *cells, strict=True)]
    group_features = np.stack([_group_features(group) for group in groups])
    return Tables(
        tokens=torch.from_numpy(tokens),
        multiplicities=torch.tensor(multiplicities),
        free=torch.from_numpy(np.array(free)),
        token_features=_with_unknown(np.stack(features)),
        group_features=_with_unknown(group_features),
        cell_free=torch.from_numpy(rules[0]),
        cell_source=torch.from_numpy(rules[1]),
        cell_fixed=torch.from_numpy(rules[2].astype(np.float32)),
    )


def _with_unknown(features: NDArray[np.float64]) -> Tensor:
    """Put a row of zeros first."""
    rows = np.concatenate([np.zeros((1, features.shape[1])), features])
    return torch.from_numpy(rows.astype(np.float32))


def _position_features(group: SpaceGroup, letter: int) -> NDArray[np.float64]:
    position = group.positions[letter]
    phase = 2 * np.pi * position.offsets[0]
    sizes = np.log2([position.multiplicity / group.n_centring, len(group.rotations)]) / 4
    symmetry = np.log2(len(group.rotations) / position.multiplicity) / 4
    return np.concatenate(
        [
            sizes,
            [symmetry],
            position.free,
            np.cos(phase) * ~position.free,
            np.sin(phase) * ~position.free,
            position.matrices[0].ravel() / 2,
        ]
    )


def _group_features(group: SpaceGroup) -> NDArray[np.float64]:
    order = len(group.rotations) / group.n_centring
    inversion = any(np.array_equal(rotation, -np.eye(3)) for rotation in group.rotations)
    moving = np.abs(group.translations[: round(order)] % 1.0).max(axis=0) > 1e-6
    return np.concatenate(
        [
            [float(group.crystal_system == name) for name in FAMILIES],
            [float(group.centring == name) for name in _CENTRINGS],
            [np.log2(order) / 4, float(inversion), len(group.polar) / 2],
            moving,
        ]
    )


def _cell_rules(system: str) -> tuple[NDArray[np.bool_], NDArray[np.int64], NDArray[np.float64]]:
    """Free parameters, sources and fixed angles (degrees) of the cell of a crystal system."""
    free = np.zeros(6, dtype=bool)
    free[list(_FREE_CELL[system])] = True
    source = np.arange(6)
    if system in {"tetragonal", "hexagonal", "cubic"}:
        source[1] = 0
    if system == "cubic":
        source[2] = 0
    fixed = np.where(free, 0.0, 90.0)
    fixed[:3] = 0.0
    if system == "hexagonal":
        fixed[5] = 120.0
    return free, source, fixed
