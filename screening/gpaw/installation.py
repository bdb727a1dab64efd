"""Whether GPAW is there, and which versions of its parts."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec

from screening.errors import EngineError

HINT = "apt install libxc-dev libopenblas-dev, then CC=g++ pip install '.[gpaw]' (docs/gpaw.md)"


def fault() -> str | None:
    """Say why GPAW cannot be used, or None; cheap: nothing of it is imported."""
    for package in ("gpaw", "_gpaw", "gpaw_data"):
        if find_spec(package) is None:
            return f"the package {package!r} is not installed: {HINT}"
    return None


def require() -> None:
    """Do nothing if GPAW works.

    Raises
    ------
    EngineError
        If it is not installed, or does not load.
    """
    if reason := fault():
        raise EngineError(f"GPAW cannot be used: {reason}")
    try:
        import gpaw  # noqa: F401
    except (ImportError, OSError) as error:  # a library that its build had is gone
        raise EngineError(f"GPAW does not load ({error}): {HINT}") from error


def versions() -> dict[str, str]:
    """Return the versions of all parts that decide the numbers."""
    found = {}
    for name in ("gpaw", "gpaw-data", "ase", "numpy"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "unknown"
    import _gpaw

    found["libxc"] = str(getattr(_gpaw, "libxc_version", "unknown"))
    return found
