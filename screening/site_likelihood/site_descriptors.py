"""Multi-perspective atomic fingerprints (Ryan et al. 2018, doi:10.1021/jacs.8b03913).

The fingerprint of site i is twelve radial distributions of all other atoms, whatever their element,
each seen from a point beside the site: the corners of three tetrahedra at 0.05, 0.10 and 0.15 R_i0,
with R_i0 the distance to the nearest atom. Distances are divided by R_i0, put into 1024 bins up to
6, smeared by a Kaiser-Bessel window, and brought to 256 points by leaving out high frequencies. No
shell volume is divided out. All steps after the bins are linear, so that they are one matrix.

In training a site is seen anew each time: the tetrahedra are turned at random (as good as turning
the crystal) and the atoms moved at random.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from screening.compiled import compiled
from screening.crystal.crystals import primitive_cell
from screening.crystal.distances import images_needed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from screening.crystal.crystals import Crystal

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

REACH = 6.0
"""Largest distance, in units of the distance to the nearest atom."""
BINS, POINTS = 1024, 256
OFFSETS = (0.05, 0.10, 0.15)
"""Radii of the tetrahedra of perspectives, in the same units."""
PERSPECTIVES = 4 * len(OFFSETS)
WINDOW, ALPHA = 128, 14.0
"""Width of the Kaiser-Bessel window in bins, and its shape (beta = pi alpha)."""
JITTER = 0.01
"""Standard deviation by which atoms are moved in training (Angstrom)."""

_MOVES = 257
"""Different moves at one site; there are more neighbours, which take them in turn."""
_TETRAHEDRON = np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]]) / np.sqrt(3)
_PERSPECTIVE_VECTORS = np.concatenate([radius * _TETRAHEDRON for radius in OFFSETS])


@dataclass(frozen=True)
class Sites:
    """The unique sites of many crystals.

    Attributes
    ----------
    lattices
        Reduced primitive cells (rows, Angstrom), shape ``(c, 3, 3)``.
    starts
        First atom of each crystal, then the number of atoms, shape ``(c + 1,)``.
    positions
        Cartesian positions of all atoms (Angstrom), shape ``(a, 3)``.
    crystals
        Crystal of each site, ascending, shape ``(s,)``.
    atoms
        One atom of each site, an index into `positions`, shape ``(s,)``.
    species
        Atomic number, or class, of each site, shape ``(s,)``.
    shares
        Share of the site's atoms in its crystal, shape ``(s,)``.
    nearest
        Distance to the nearest atom, R_i0 (Angstrom), shape ``(s,)``.
    ratios
        Smallest distance in the crystal over R_i0, at most 1, shape ``(s,)``.
    """

    lattices: Floats
    starts: Ints
    positions: Floats
    crystals: Ints
    atoms: Ints
    species: Ints
    shares: Floats
    nearest: Floats
    ratios: Floats

    def __len__(self) -> int:
        """Return the number of sites."""
        return len(self.atoms)

    @classmethod
    def of(cls, crystals: Sequence[Crystal]) -> Sites:
        """Take the orbits of crystals, in their order, as sites."""
        cells = [primitive_cell(crystal) for crystal in crystals]
        sizes = [len(cell[2]) for cell in cells]
        starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        counts = [crystal.multiplicities for crystal in crystals]
        firsts = [
            start + np.cumsum(count) - count for start, count in zip(starts, counts, strict=False)
        ]
        owners = np.repeat(np.arange(len(cells)), [len(count) for count in counts])
        lattices = np.array([cell[0] for cell in cells]).reshape(-1, 3, 3)
        positions = np.concatenate([np.zeros((0, 3)), *(cell[1] @ cell[0] for cell in cells)])
        empty = np.zeros(0, dtype=np.int64)
        atoms = np.concatenate([empty, *firsts]).astype(np.int64)
        nearest = np.zeros(len(atoms))
        _nearest_atoms(lattices, starts, positions, owners, atoms, nearest)
        smallest = np.full(len(cells), np.inf)
        np.minimum.at(smallest, owners, nearest)
        return cls(
            lattices=lattices,
            starts=starts,
            positions=positions,
            crystals=owners,
            atoms=atoms,
            species=np.concatenate([empty, *(crystal.species for crystal in crystals)]),
            shares=np.concatenate([np.zeros(0), *(c / c.sum() for c in counts)]),
            nearest=nearest,
            ratios=smallest[owners] / nearest,
        )


@compiled
def _nearest_atoms(  # noqa: PLR0917 - compiled
    lattices: Floats, starts: Ints, positions: Floats, owners: Ints, atoms: Ints, out: Floats
) -> None:
    """Fill `out` with the distance from each site to the nearest atom."""
    for site in range(len(atoms)):
        crystal = owners[site]
        lattice = lattices[crystal]
        best = np.inf
        for axis in range(3):
            best = min(best, np.sqrt((lattice[axis] ** 2).sum()))
        needed = images_needed(lattice, best) + 1
        centre = positions[atoms[site]]
        for a in range(-needed[0], needed[0] + 1):
            for b in range(-needed[1], needed[1] + 1):
                for c in range(-needed[2], needed[2] + 1):
                    shift = a * lattice[0] + b * lattice[1] + c * lattice[2] - centre
                    for j in range(starts[crystal], starts[crystal + 1]):
                        x = positions[j, 0] + shift[0]
                        y = positions[j, 1] + shift[1]
                        z = positions[j, 2] + shift[2]
                        distance = np.sqrt(x * x + y * y + z * z)
                        if 1e-6 < distance < best:
                            best = distance
        out[site] = best


def _rotations(n: int, rng: np.random.Generator) -> Floats:
    """Draw rotations, all equally likely, shape ``(n, 3, 3)``, from random quaternions."""
    q = rng.normal(size=(4, n))
    w, x, y, z = q / np.linalg.norm(q, axis=0)
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
        [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
        [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
    ]
    return np.array(rows).transpose(2, 0, 1)


@compiled
def _count_neighbours(  # noqa: PLR0917 - compiled
    lattice: Floats,
    positions: Floats,
    centre: Floats,
    nearest: float,
    points: Floats,
    moves: Floats,
    out: NDArray[np.float32],
) -> None:
    """Add each neighbour of one site to the bins of each perspective, shape ``(12, bins)``."""
    cutoff = (REACH + OFFSETS[-1]) * nearest + 6 * JITTER
    squared = cutoff**2
    needed = images_needed(lattice, cutoff) + 1
    n_moves = len(moves)
    found = 0
    scale = out.shape[1] / (REACH * nearest)
    for a in range(-needed[0], needed[0] + 1):
        for b in range(-needed[1], needed[1] + 1):
            for c in range(-needed[2], needed[2] + 1):
                sx = a * lattice[0, 0] + b * lattice[1, 0] + c * lattice[2, 0] - centre[0]
                sy = a * lattice[0, 1] + b * lattice[1, 1] + c * lattice[2, 1] - centre[1]
                sz = a * lattice[0, 2] + b * lattice[1, 2] + c * lattice[2, 2] - centre[2]
                for j in range(len(positions)):
                    x, y, z = positions[j, 0] + sx, positions[j, 1] + sy, positions[j, 2] + sz
                    square = x * x + y * y + z * z
                    if square > squared or square < 1e-12:
                        continue
                    move = moves[found % n_moves]
                    found += 1
                    x, y, z = x + move[0], y + move[1], z + move[2]
                    for k in range(len(points)):
                        dx, dy, dz = x - points[k, 0], y - points[k, 1], z - points[k, 2]
                        place = int(np.sqrt(dx * dx + dy * dy + dz * dz) * scale)
                        if place < out.shape[1]:
                            out[k, place] += 1


@compiled
def _histograms(  # noqa: PLR0917 - compiled
    lattices: Floats,
    starts: Ints,
    positions: Floats,
    owners: Ints,
    atoms: Ints,
    nearest: Floats,
    perspectives: Floats,
    moves: Floats,
    out: NDArray[np.float32],
) -> None:
    """Fill `out` (s, 12, bins), zeros before.

    `perspectives` has shape (s, 12, 3); the neighbours of each site take the moves, (s, m, 3), in
    turn.
    """
    for site in range(len(atoms)):
        crystal = owners[site]
        _count_neighbours(
            lattices[crystal],
            positions[starts[crystal] : starts[crystal + 1]],
            positions[atoms[site]],
            nearest[site],
            perspectives[site] * nearest[site],
            moves[site],
            out[site],
        )


@cache
def smearing() -> NDArray[np.float32]:
    """Return the linear map from bins to points, shape ``(1024, 256)``.

    A Kaiser-Bessel window of unit area; then the discrete Fourier transform without its high
    frequencies, back at 256 points, scaled by 256/1024 so that heights are kept.
    """
    window = np.kaiser(WINDOW + 1, np.pi * ALPHA)
    window /= window.sum()
    shift = np.arange(BINS)[:, None] - np.arange(BINS)[None]
    inside = np.abs(shift) <= WINDOW // 2
    smeared = np.where(inside, window[np.clip(shift + WINDOW // 2, 0, WINDOW)], 0.0)
    frequencies = np.fft.rfft(smeared, axis=1)[:, : POINTS // 2 + 1]
    result = np.fft.irfft(frequencies, n=POINTS, axis=1) * (POINTS / BINS)
    return np.ascontiguousarray(result, dtype=np.float32)


def fingerprints(
    sites: Sites, rows: Ints | None = None, *, seed: int | None = None
) -> NDArray[np.float32]:
    """Compute the fingerprints of sites.

    Parameters
    ----------
    sites
        The sites.
    rows
        Which of them, shape ``(n,)``; None for all.
    seed
        Seed of the turn and of the moves of atoms; None computes each without.

    Returns
    -------
    Shape ``(n, 12, 256)``: neighbours in a 1024th of the reach.
    """
    rows = np.arange(len(sites)) if rows is None else rows
    counted = np.zeros((len(rows), PERSPECTIVES, BINS), dtype=np.float32)
    if seed is None:
        perspectives = np.broadcast_to(_PERSPECTIVE_VECTORS, (len(rows), PERSPECTIVES, 3)).copy()
        moves = np.zeros((len(rows), 1, 3))
    else:
        rng = np.random.default_rng(seed)
        perspectives = _PERSPECTIVE_VECTORS @ _rotations(len(rows), rng)
        moves = JITTER * rng.standard_normal((len(rows), _MOVES, 3))
    _histograms(
        sites.lattices,
        sites.starts,
        sites.positions,
        sites.crystals[rows],
        sites.atoms[rows],
        sites.nearest[rows],
        perspectives,
        moves,
        counted,
    )
    result: NDArray[np.float32] = counted @ smearing()
    return result
