"""Crystals of many sizes as one graph: atoms in a row, each with its nearest neighbours."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor

REACH = 2
"""Most images of the (Niggli) cell on each side in which neighbours are looked for."""


@dataclass(frozen=True)
class Graph:
    """Neighbours of ``m`` atoms.

    Attributes
    ----------
    neighbours
        Index of each neighbour, int64 ``(m, k)``.
    units
        Unit vectors to them, ``(m, k, 3)``.
    distances
        Distances (Angstrom), infinite where there are fewer neighbours, ``(m, k)``.
    """

    neighbours: Tensor
    units: Tensor
    distances: Tensor


@cache
def _images(reach: tuple[int, int, int]) -> Tensor:
    """Cells up to `reach` away along each axis, the one in the middle being the cell itself."""
    return torch.cartesian_prod(*(torch.arange(-far, far + 1) for far in reach)).float()


def _reach(lattices: Tensor, cutoff: float) -> tuple[int, int, int]:
    """Images along each axis that any of the cells needs."""
    heights = 1 / torch.linalg.inv(lattices).norm(dim=1).amax(dim=0)
    a, b, c = (cutoff / heights + 0.5).floor().clamp(max=REACH).int().tolist()
    return a, b, c


@torch.no_grad()
def nearest_neighbours(
    lattices: Tensor, points: Tensor, mask: Tensor, k: int, cutoff: float
) -> Graph:
    """Find the `k` nearest neighbours of each atom within `cutoff`.

    Parameters
    ----------
    lattices
        Row vectors (Angstrom), ``(b, 3, 3)``.
    points
        Fractional coordinates, padded, ``(b, n, 3)``.
    mask
        Which atoms are there, bool ``(b, n)``.
    k
        Most neighbours.
    cutoff
        Angstrom.
    """
    b, n = mask.shape
    images = _images(_reach(lattices, cutoff)).to(points)
    differences = points[:, None] - points[:, :, None]
    pairs = (differences - differences.round()).reshape(b, n * n, 3) @ lattices
    shifts = images @ lattices  # (b, images, 3)
    squares = pairs.square().sum(dim=-1)[..., None] + shifts.square().sum(dim=-1)[:, None]
    squares = torch.baddbmm(squares, pairs, shifts.mT, alpha=2).reshape(b, n, n, -1)
    squares[:, torch.arange(n), torch.arange(n), len(images) // 2] = torch.inf
    squares = squares.masked_fill(~mask[:, None, :, None], torch.inf).reshape(b, n, -1)[mask]
    places, there = _smallest(squares, min(k, squares.shape[1]), cutoff**2)
    atoms = places.div(len(images), rounding_mode="floor")
    crystals = torch.arange(b, device=mask.device)[:, None].expand(b, n)[mask][:, None]
    first = torch.arange(n, device=mask.device).expand(b, n)[mask][:, None] * n
    vectors = pairs[crystals, first + atoms] + shifts[crystals, places % len(images)]
    distances = vectors.norm(dim=-1)
    packed = torch.zeros(b, n, dtype=torch.long, device=mask.device)
    packed[mask] = torch.arange(len(crystals), device=mask.device)
    return Graph(
        packed[crystals, atoms],
        vectors / distances.clamp(min=1e-6)[..., None],
        distances.masked_fill(~there, torch.inf),
    )


def _smallest(values: Tensor, k: int, below: float) -> tuple[Tensor, Tensor]:
    """Places of the `k` smallest values of each row, ascending, and which of them are `below`.

    Few are, so that sorting those is faster than `torch.topk`.
    """
    rows, columns = (values < below).nonzero(as_tuple=True)
    order = (rows.double() * 2.0 * below + values[rows, columns].double()).argsort()
    rows, columns = rows[order], columns[order]
    found = torch.bincount(rows, minlength=len(values))
    rank = torch.arange(len(rows), device=rows.device) - (found.cumsum(0) - found)[rows]
    kept = rank < k
    places = torch.zeros(len(values), k, dtype=torch.long, device=values.device)
    places[rows[kept], rank[kept]] = columns[kept]
    return places, torch.arange(k, device=values.device) < found[:, None]


def nearest_image(difference: Tensor, lattices: Tensor) -> Tensor:
    """Shortest vectors (Angstrom) of fractional differences ``(m, 3)``, cells ``(m, 3, 3)``."""
    images = _images((1, 1, 1)).to(difference)
    wrapped = difference - difference.round()
    vectors = (wrapped[:, None] + images) @ lattices
    best = vectors.square().sum(dim=-1).argmin(dim=1)
    return vectors[torch.arange(len(vectors), device=vectors.device), best]


def lattice_of(parameters: Tensor) -> Tensor:
    """Lattice rows ``(b, 3, 3)`` of lengths (Angstrom) and angles (degrees), ``(b, 6)``."""
    lengths, angles = parameters[:, :3], torch.deg2rad(parameters[:, 3:])
    cosines, sines = angles.cos(), angles.sin()
    a, b, c = lengths.unbind(dim=1)
    zero = torch.zeros_like(a)
    rise = (cosines[:, 0] - cosines[:, 1] * cosines[:, 2]) / sines[:, 2]
    height = (1 - cosines[:, 1].square() - rise.square()).clamp(min=0.01).sqrt()
    rows = [
        torch.stack([a, zero, zero], dim=1),
        torch.stack([b * cosines[:, 2], b * sines[:, 2], zero], dim=1),
        torch.stack([c * cosines[:, 1], c * rise, c * height], dim=1),
    ]
    return torch.stack(rows, dim=1)
