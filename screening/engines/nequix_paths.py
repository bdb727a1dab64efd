"""Tensor products of Nequix: which degrees couple to which, with which coefficients.

Features of degree l have 2l + 1 components, ordered as the real spherical harmonics here. A path
``(l1, l2, l3)`` takes features of degree l1 and the edge's harmonics of degree l2 to degree l3.
All parities are natural, so that only paths with an even sum exist; their Clebsch-Gordan
coefficients are then Gaunt's integrals, normalised.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import torch

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Path:
    """One path, and where its numbers lie in a row of each table.

    Attributes
    ----------
    l1, l2, l3
        Degrees of the neighbour's features, of the harmonics, and of the message.
    mul
        Number of channels.
    x
        First of the features, ``(2 l1 + 1) * mul`` numbers.
    weight
        First of the radial weights, `mul` numbers.
    coupling
        First of the couplings, ``(2 l1 + 1) * (2 l3 + 1)`` numbers.
    out
        First of the sums of messages: ``2 l3 + 1`` rows of `mul` numbers, `stride` apart.
    stride
        Number of channels of degree l3 of all paths together.
    """

    l1: int
    l2: int
    l3: int
    mul: int
    x: int
    weight: int
    coupling: int
    out: int
    stride: int


@dataclass(frozen=True)
class Layer:
    """Shape of one interaction layer.

    Attributes
    ----------
    inputs, outputs
        Channels of each degree; the outputs hold the gates, at the end of degree 0.
    hidden
        Channels of each degree after the gates have been used.
    widths
        Channels of each degree of the sums of messages.
    paths
        The paths, ordered by l3, l1, l2.
    n_weights, n_couplings, n_out
        Lengths of the rows of radial weights, of couplings, and of sums of messages.
    """

    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    hidden: tuple[int, ...]
    widths: tuple[int, ...]
    paths: tuple[Path, ...]
    n_weights: int
    n_couplings: int
    n_out: int


def layers_of(
    n_species: int, hidden: tuple[int, ...], lmax: int, n_layers: int
) -> tuple[Layer, ...]:
    """Describe all layers: the first reads species, the last writes scalars only."""
    layers = []
    for i in range(n_layers):
        inputs = (n_species,) if i == 0 else hidden
        layers.append(_layer(inputs, hidden if i < n_layers - 1 else hidden[:1], lmax))
    return tuple(layers)


def _layer(inputs: tuple[int, ...], hidden: tuple[int, ...], lmax: int) -> Layer:
    degrees = [
        (l1, l2, l3)
        for l3 in range(len(hidden))
        for l1 in range(len(inputs))
        for l2 in range(lmax + 1)
        if abs(l1 - l2) <= l3 <= l1 + l2 and (l1 + l2 + l3) % 2 == 0
    ]
    widths = [sum(inputs[l1] for l1, _, l3 in degrees if l3 == k) for k in range(len(hidden))]
    x_starts = np.cumsum([0, *((2 * k + 1) * mul for k, mul in enumerate(inputs))])
    out_starts = np.cumsum([0, *((2 * k + 1) * width for k, width in enumerate(widths))])
    paths = []
    weight = coupling = 0
    used = [0] * len(hidden)
    for l1, l2, l3 in degrees:
        mul = inputs[l1]
        out = int(out_starts[l3]) + used[l3]
        start = int(x_starts[l1])
        paths.append(Path(l1, l2, l3, mul, start, weight, coupling, out, widths[l3]))
        weight += mul
        coupling += (2 * l1 + 1) * (2 * l3 + 1)
        used[l3] += mul
    outputs = (hidden[0] + sum(hidden[1:]), *hidden[1:])
    lengths = (weight, coupling, int(out_starts[-1]))
    return Layer(inputs, outputs, hidden, tuple(widths), tuple(paths), *lengths)


def harmonics(unit: torch.Tensor, lmax: int) -> torch.Tensor:
    """Real spherical harmonics up to degree 3, the squares of each degree summing to 2l + 1.

    Parameters
    ----------
    unit
        Unit vectors, shape ``(m, 3)``.
    lmax
        Largest degree.

    Returns
    -------
    Shape ``(m, (lmax + 1)**2)``.
    """
    x, y, z = unit.unbind(dim=1)
    values = [torch.ones_like(x)]
    if lmax >= 1:
        values += [3**0.5 * x, 3**0.5 * y, 3**0.5 * z]
    if lmax >= 2:
        a, b = 15**0.5, 5**0.5 / 2
        values += [a * x * y, a * y * z, b * (3 * z * z - 1), a * x * z, a / 2 * (x * x - y * y)]
    if lmax >= 3:
        c, d, e, f = (35 / 8) ** 0.5, 105**0.5, (21 / 8) ** 0.5, 7**0.5 / 2
        slope = 5 * z * z - 1
        values += [
            c * y * (3 * x * x - y * y),
            d * x * y * z,
            e * y * slope,
            f * z * (5 * z * z - 3),
            e * x * slope,
            d / 2 * z * (x * x - y * y),
            c * x * (x * x - 3 * y * y),
        ]
    return torch.stack(values, dim=1)


def coupling_matrix(layer: Layer, lmax: int) -> NDArray[np.float64]:
    """Take harmonics to the couplings of all paths.

    Returns
    -------
    Shape ``((lmax + 1)**2, n_couplings)``: harmonics times this matrix are, for each path, the
    coefficients ``(m1, m3)`` between features and messages.
    """
    matrix = np.zeros(((lmax + 1) ** 2, layer.n_couplings))
    for path in layer.paths:
        coefficients = clebsch_gordan(path.l1, path.l2, path.l3) * np.sqrt(2 * path.l3 + 1)
        block = coefficients.transpose(1, 0, 2).reshape(2 * path.l2 + 1, -1)
        columns = slice(path.coupling, path.coupling + block.shape[1])
        matrix[path.l2**2 : (path.l2 + 1) ** 2, columns] = block
    return matrix


@cache
def clebsch_gordan(l1: int, l2: int, l3: int) -> NDArray[np.float64]:
    """Real Clebsch-Gordan coefficients of degrees with an even sum, of unit Frobenius norm.

    Gaunt's integrals of three harmonics, by a quadrature that is exact up to degree 15.

    Returns
    -------
    Shape ``(2 l1 + 1, 2 l2 + 1, 2 l3 + 1)``.
    """
    heights, weights = np.polynomial.legendre.leggauss(8)
    angles = np.arange(16) * np.pi / 8
    radii = np.sqrt(1 - heights**2)[:, None]
    points = np.stack(
        [radii * np.cos(angles), radii * np.sin(angles), heights[:, None] + 0 * angles], axis=-1
    )
    values = harmonics(torch.from_numpy(points.reshape(-1, 3)), 3).numpy()
    factors = (values[:, k * k : (k + 1) ** 2] for k in (l1, l2, l3))
    gaunt = np.einsum("p,pa,pb,pc->abc", np.repeat(weights, 16), *factors, optimize=True)
    gaunt[np.abs(gaunt) < 1e-12] = 0.0
    return np.asarray(gaunt / np.linalg.norm(gaunt))
