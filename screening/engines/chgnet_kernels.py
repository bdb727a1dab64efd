"""Compiled loops of CHGNet's message passing on a CPU: each table is read once per step.

The gated networks spend most of their time moving tables of messages through memory, one
elementwise operation after the other. Here gathering, activation, normalisation, weighting and
summation of a message happen while it is in the cache; only the matrix products are left to torch.
The derivatives are written out by hand; a test compares them with those of torch.

A layer is a table of m messages with 64 features, one for the core and one for the gate of a gated
network. ``index`` is (p, q, r) of `Wiring` in `gather`, (p, a, b) in `send`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba import njit, types
from numba.extending import intrinsic

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    T = TypeVar("T")
    Floats = NDArray[np.float32]
    Ints = NDArray[np.int64]
    Two = tuple[T, T]
    Three = tuple[T, T, T]

F = TypeVar("F", bound="Callable[..., Any]")

_32 = np.float32
WIDTH = 64
INVERSE_WIDTH, EPSILON = _32(1 / WIDTH), _32(1e-5)
HALF, ONE = _32(0.5), _32(1.0)
# beyond this the sigmoid is 0 or 1 to rounding; exp(-87) would make products that are denormal
# numbers, on which a CPU is a hundred times slower
LARGEST = _32(40.0)
# exp(x) = 2^n exp(r), with n log(2) in two parts and a polynomial for r (the Cephes library)
LOG2E, LOG2_HIGH, LOG2_LOW = _32(1.44269504), _32(0.693359375), _32(-2.12194440e-4)
E2, E3, E4 = _32(5.0000001201e-1), _32(1.6666665459e-1), _32(4.1665795894e-2)
E5, E6, E7 = _32(8.3334519073e-3), _32(1.3981999507e-3), _32(1.9875691500e-4)

EXACT = ("nnan", "ninf", "nsz", "contract")
"""Floating-point freedom that keeps the order of operations: no NaN, no signed zeros, fused."""
FREE = (*EXACT, "reassoc", "arcp")
"""... and sums in any order, so that they are vectorised."""


def _compiled(flags: tuple[str, ...] = FREE) -> Callable[[F], F]:
    """Compile a loop, divisions without checks."""

    def decorate(function: F) -> F:
        options: dict[str, Any] = {"nogil": True, "fastmath": set(flags), "error_model": "numpy"}
        try:
            fast: F = njit(cache=True, **options)(function)
        except RuntimeError:  # nowhere to keep the machine code: each process compiles for itself
            fast = njit(**options)(function)
        return fast

    return decorate


@intrinsic
def _as_float(_: Any, __: Any) -> Any:
    """Read the bits of an int32 as a float32."""

    def generate(_: Any, builder: Any, __: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], ir.FloatType())

    return types.float32(types.int32), generate


@_compiled(EXACT)
def _sigmoid(x: Any) -> Any:
    t = min(max(-x, -LARGEST), LARGEST)
    n = np.floor(t * LOG2E + HALF)
    r = (t - n * LOG2_HIGH) - n * LOG2_LOW
    p = ((((E7 * r + E6) * r + E5) * r + E4) * r + E3) * r + E2
    power = _as_float((np.int32(n) + np.int32(127)) << np.int32(23))
    return ONE / (ONE + (p * r * r + r + ONE) * power)


@_compiled()
def gather(
    tables: Three[Floats], index: Three[Ints], dense: Floats, core: Floats, gate: Floats
) -> None:
    """Sum the first layer, ``P[p] + Q[q] + R[r] + dense`` (dense may be empty), cut in two."""
    first, second, third = tables
    p, q, r = index
    for e in range(len(p)):
        i, j, k = p[e], q[e], r[e]
        for c in range(WIDTH):
            core[e, c] = first[i, c] + second[j, c] + third[k, c]
        for c in range(WIDTH):
            gate[e, c] = first[i, WIDTH + c] + second[j, WIDTH + c] + third[k, WIDTH + c]
        if len(dense):
            for c in range(WIDTH):
                core[e, c] += dense[e, c]
            for c in range(WIDTH):
                gate[e, c] += dense[e, WIDTH + c]


@_compiled()
def scatter(
    d_layers: Two[Floats], index: Three[Ints], tables: Three[Floats], dense: Floats
) -> None:
    """Differentiate `gather`: add to the rows that each message was made from."""
    d_core, d_gate = d_layers
    first, second, third = tables
    p, q, r = index
    for e in range(len(p)):
        i, j, k = p[e], q[e], r[e]
        for c in range(WIDTH):
            x, y = d_core[e, c], d_gate[e, c]
            first[i, c] += x
            first[i, WIDTH + c] += y
            second[j, c] += x
            second[j, WIDTH + c] += y
            third[k, c] += x
            third[k, WIDTH + c] += y
        if len(dense):
            for c in range(WIDTH):
                dense[e, c] = d_core[e, c]
                dense[e, WIDTH + c] = d_gate[e, c]


@_compiled()
def activate(x: Floats, slope: Floats) -> None:
    """Replace x by silu(x), and note its derivative in `slope`; both flat."""
    for e in range(len(x)):
        s = _sigmoid(x[e])
        y = x[e] * s
        slope[e] = s + y * (ONE - s)
        x[e] = y


@_compiled()
def _moments(row: Floats) -> tuple[Any, Any]:
    """Mean and inverse standard deviation of a row."""
    mean = _32(0)
    for c in range(WIDTH):
        mean += row[c]
    mean *= INVERSE_WIDTH
    variance = _32(0)
    for c in range(WIDTH):
        variance += (row[c] - mean) * (row[c] - mean)
    return mean, ONE / np.sqrt(variance * INVERSE_WIDTH + EPSILON)


@_compiled()
def close(layers: Two[Floats], norms: Floats, out: Floats) -> None:
    """Compute ``silu(norm(core)) * sigmoid(norm(gate))``; `norms` holds weights and biases."""
    core, gate = layers
    for e in range(len(core)):
        mean_c, scale_c = _moments(core[e])
        mean_g, scale_g = _moments(gate[e])
        for c in range(WIDTH):  # short loops over few arrays: the compiler vectorises these
            x = (core[e, c] - mean_c) * scale_c * norms[0, c] + norms[1, c]
            out[e, c] = x * _sigmoid(x)
        for c in range(WIDTH):
            y = (gate[e, c] - mean_g) * scale_g * norms[2, c] + norms[3, c]
            out[e, c] *= _sigmoid(y)


@_compiled()
def _norm_back(row: Floats, weight: Floats, moments: Two[Any], gradient: Floats) -> None:
    """Differentiate the normalisation of one row; the gradient is changed in place."""
    mean, scale = moments
    total, along = _32(0), _32(0)
    for c in range(WIDTH):
        g = gradient[c] * weight[c]
        total += g
        along += g * (row[c] - mean)
    total *= INVERSE_WIDTH
    along *= INVERSE_WIDTH * scale * scale
    for c in range(WIDTH):
        gradient[c] = scale * (gradient[c] * weight[c] - total - (row[c] - mean) * along)


@_compiled()
def close_back(layers: Two[Floats], norms: Floats, gradient: Floats, d_layers: Two[Floats]) -> None:
    """Differentiate `close`."""
    core, gate = layers
    d_core, d_gate = d_layers
    for e in range(len(core)):
        moments_c, moments_g = _moments(core[e]), _moments(gate[e])
        for c in range(WIDTH):
            d_core[e, c] = (core[e, c] - moments_c[0]) * moments_c[1] * norms[0, c] + norms[1, c]
        for c in range(WIDTH):
            d_gate[e, c] = (gate[e, c] - moments_g[0]) * moments_g[1] * norms[2, c] + norms[3, c]
        for c in range(WIDTH):
            x = d_core[e, c]
            s, t = _sigmoid(x), _sigmoid(d_gate[e, c])
            z = x * s
            d_core[e, c] = gradient[e, c] * t * (s + z * (ONE - s))
            d_gate[e, c] = gradient[e, c] * z * t * (ONE - t)
        _norm_back(core[e], norms[0], moments_c, d_core[e])
        _norm_back(gate[e], norms[2], moments_g, d_gate[e])


@_compiled()
def send(messages: Floats, weights: Floats, index: Three[Ints], out: Floats) -> None:
    """Add weighted messages to their owners; the weight is ``W[a]``, or ``W[a] W[b]``."""
    owner, a, b = index
    for e in range(len(messages)):
        i, k = owner[e], a[e]
        if len(b):
            for c in range(WIDTH):
                out[i, c] += messages[e, c] * weights[k, c] * weights[b[e], c]
        else:
            for c in range(WIDTH):
                out[i, c] += messages[e, c] * weights[k, c]


@_compiled()
def send_back(
    inputs: Two[Floats], index: Three[Ints], gradient: Floats, derivatives: Two[Floats]
) -> None:
    """Differentiate `send` with respect to messages and weights."""
    messages, weights = inputs
    d_messages, d_weights = derivatives
    owner, a, b = index
    for e in range(len(messages)):
        i, k = owner[e], a[e]
        if len(b):
            j = b[e]
            for c in range(WIDTH):
                g = gradient[i, c] * messages[e, c]
                d_messages[e, c] = gradient[i, c] * weights[k, c] * weights[j, c]
                d_weights[k, c] += g * weights[j, c]
                d_weights[j, c] += g * weights[k, c]
        else:
            for c in range(WIDTH):
                d_messages[e, c] = gradient[i, c] * weights[k, c]
                d_weights[k, c] += gradient[i, c] * messages[e, c]
