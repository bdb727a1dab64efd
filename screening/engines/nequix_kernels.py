"""Compiled loops of Nequix's messages on a CPU: one pair after the other, path by path.

The tables of a pair are read once, while the features and sums of its two atoms stay in the cache.
The innermost loops run over channels, which are contiguous, so that the compiler vectorises them.
The derivatives are written out by hand; a test compares them with those of torch.

A pair sends a message from its second atom to the first, with the couplings as they are, and one
back, with the couplings times (-1)^l2. A row of `paths` is (rows, columns, channels, first of the
features, of the weights, of the couplings, of the sums, stride of the sums, sign) of one path, see
`Path`; rows = 2 l1 + 1, columns = 2 l3 + 1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numba import njit

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Floats = NDArray[Any]
    Ints = NDArray[np.int64]

F = TypeVar("F", bound="Callable[..., Any]")

FREE = {"nnan", "ninf", "nsz", "contract", "reassoc", "arcp"}
"""Floating-point freedom: sums in any order, so that they are vectorised; no NaN."""


def _compiled(function: F) -> F:
    options: dict[str, Any] = {"nogil": True, "fastmath": FREE, "error_model": "numpy"}
    try:
        fast: F = njit(cache=True, **options)(function)
    except RuntimeError:  # nowhere to keep the machine code: each process compiles for itself
        fast = njit(**options)(function)
    return fast


@_compiled
def _send(
    shape: tuple[int, int, int, int],
    inputs: tuple[Floats, Floats, Floats],
    out: Floats,
    row: Floats,
) -> None:
    """Add one message to the sums of an atom; `row` is working memory."""
    rows, columns, mul, stride = shape
    x, w, k = inputs
    for m3 in range(columns):
        coupling = k[m3]
        for c in range(mul):
            row[c] = coupling * x[c]
        for m1 in range(1, rows):
            coupling = k[m1 * columns + m3]
            feature = x[m1 * mul : (m1 + 1) * mul]
            for c in range(mul):
                row[c] += coupling * feature[c]
        total = out[m3 * stride : m3 * stride + mul]
        for c in range(mul):
            total[c] += row[c] * w[c]


@_compiled
def forward(
    tables: tuple[Floats, Floats, Floats],
    ends: tuple[Ints, Ints],
    paths: Ints,
    out: Floats,
) -> None:
    """Sum the messages of all pairs into `out`, which starts at zero.

    `tables` are the features of atoms, and radial weights and couplings of pairs.
    """
    x, w, k = tables
    centers, neighbors = ends
    row, back = np.empty(x.shape[1], x.dtype), np.empty(49, x.dtype)
    for p in range(len(centers)):
        a, b = centers[p], neighbors[p]
        for path in paths:
            rows, columns, mul, at_x, at_w, at_k, at_out, stride, sign = path
            shape = (rows, columns, mul, stride)
            weight, ahead = w[p, at_w : at_w + mul], k[p, at_k : at_k + rows * columns]
            for i in range(rows * columns):
                back[i] = sign * ahead[i]
            _send(shape, (x[b, at_x:], weight, ahead), out[a, at_out:], row)
            _send(shape, (x[a, at_x:], weight, back), out[b, at_out:], row)


@_compiled
def _weighted_sum(row: Floats, table: Floats, shape: tuple[int, int, int], factors: Floats) -> None:
    """Add up rows of `table`, `stride` apart, each times its factor."""
    n, mul, stride = shape
    for c in range(mul):
        row[c] = factors[0] * table[c]
    for m in range(1, n):
        factor = factors[m]
        other = table[m * stride : m * stride + mul]
        for c in range(mul):
            row[c] += factor * other[c]


@_compiled
def _send_back(
    shape: tuple[int, int, int, int],
    inputs: tuple[Floats, Floats, Floats],
    g: Floats,
    slopes: tuple[Floats, Floats, Floats],
    work: tuple[Floats, Floats, Any],
) -> None:
    """Differentiate `_send`; the derivatives are added to `slopes`.

    `work` is working memory for one and for seven rows, and the sign of the couplings.
    """
    rows, columns, mul, stride = shape
    x, w, k = inputs
    dx, dw, dk = slopes
    row, weighted, sign = work
    for m3 in range(columns):
        gradient, product = g[m3 * stride : m3 * stride + mul], weighted[m3 * mul : (m3 + 1) * mul]
        for c in range(mul):
            product[c] = gradient[c] * w[c]
    for m1 in range(rows):
        feature, slope = x[m1 * mul : (m1 + 1) * mul], dx[m1 * mul : (m1 + 1) * mul]
        _weighted_sum(row, g, (columns, mul, stride), k[m1 * columns : (m1 + 1) * columns])
        for c in range(mul):
            dw[c] += row[c] * feature[c]
        for c in range(mul):
            slope[c] += row[c] * w[c]
        for m3 in range(columns):
            product = weighted[m3 * mul : (m3 + 1) * mul]
            total = product[0] * 0
            for c in range(mul):
                total += product[c] * feature[c]
            dk[m1 * columns + m3] += sign * total


@_compiled
def backward(
    tables: tuple[Floats, Floats, Floats],
    ends: tuple[Ints, Ints],
    paths: Ints,
    g: Floats,
    slopes: tuple[Floats, Floats, Floats],
) -> None:
    """Differentiate `forward`: `g` with respect to the sums; `slopes` start at zero."""
    x, w, k = tables
    dx, dw, dk = slopes
    centers, neighbors = ends
    row, weighted = np.empty(x.shape[1], x.dtype), np.empty(7 * x.shape[1], x.dtype)
    back = np.empty(49, x.dtype)
    for p in range(len(centers)):
        a, b = centers[p], neighbors[p]
        for path in paths:
            rows, columns, mul, at_x, at_w, at_k, at_out, stride, sign = path
            shape = (rows, columns, mul, stride)
            weight, ahead = w[p, at_w : at_w + mul], k[p, at_k : at_k + rows * columns]
            for i in range(rows * columns):
                back[i] = sign * ahead[i]
            dweight, dcoupling = dw[p, at_w : at_w + mul], dk[p, at_k : at_k + rows * columns]
            _send_back(
                shape,
                (x[b, at_x:], weight, ahead),
                g[a, at_out:],
                (dx[b, at_x:], dweight, dcoupling),
                (row, weighted, 1),
            )
            _send_back(
                shape,
                (x[a, at_x:], weight, back),
                g[b, at_out:],
                (dx[a, at_x:], dweight, dcoupling),
                (row, weighted, sign),
            )
