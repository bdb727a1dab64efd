"""Crystals of many sizes as one graph: atoms in a row, each with its nearest neighbours."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor

REACH = 2
"""Images of the cell on each side in which neighbours are looked for; cells are Niggli cells."""
SAME = 1e-6
"""An atom and its neighbour are farther apart than this (Angstrom)."""


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
def _images(reach: int) -> Tensor:
    steps = torch.arange(-reach, reach + 1)
    return torch.cartesian_prod(steps, steps, steps).float()


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
    images = _images(REACH).to(points)
    wrapped = points - points.floor()
    shifts = wrapped[:, None, :, None] + images - wrapped[:, :, None, None]
    vectors = shifts.reshape(b, n, -1, 3) @ lattices[:, None]  # (b, n, n * images, 3)
    squares = vectors.square().sum(dim=-1)
    there = mask[:, None, :, None].expand(b, n, n, len(images)).reshape(b, n, -1)
    hidden = ~there | (squares < SAME**2) | (squares > cutoff**2)
    squares = squares.masked_fill(hidden, torch.inf)
    k = min(k, squares.shape[-1])
    nearest, places = squares.topk(k, dim=-1, largest=False)
    chosen = vectors.gather(2, places[..., None].expand(-1, -1, -1, 3))[mask]
    distances = nearest[mask].sqrt()
    finite = torch.where(distances.isfinite(), distances, torch.ones_like(distances))
    own = torch.full((b, n), 0, dtype=torch.long, device=mask.device)
    own[mask] = torch.arange(int(mask.sum()), device=mask.device)
    atoms = places.div(len(images), rounding_mode="floor")
    packed = own[:, None].expand(b, n, n).gather(2, atoms)[mask]
    return Graph(packed, chosen / finite[..., None], distances)


def nearest_image(difference: Tensor, lattices: Tensor) -> Tensor:
    """Shortest vectors (Angstrom) of fractional differences ``(m, 3)``, cells ``(m, 3, 3)``."""
    images = _images(1).to(difference)
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
