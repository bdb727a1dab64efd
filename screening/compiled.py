"""Compiled loops: numba with its cache on disk where there is a place for one."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from numba import njit

if TYPE_CHECKING:
    from collections.abc import Callable

F = TypeVar("F", bound="Callable[..., object]")


def compiled(function: F) -> F:
    """Compile `function` at its first call; it releases the interpreter lock.

    Machine code is kept in a private folder (`screening.kernel_cache`). Where none can be written,
    each process compiles for itself, which takes some seconds and changes nothing else.
    """
    try:
        fast: F = njit(cache=True, nogil=True)(function)
    except RuntimeError:  # numba: "no locator available for file"
        fast = njit(nogil=True)(function)
    return fast
