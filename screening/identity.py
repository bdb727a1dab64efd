"""Identity by content: the same inputs always give the same key, on every machine."""

from __future__ import annotations

import hashlib
from base64 import b32encode
from typing import Any

import numpy as np
import orjson

_OPTIONS = orjson.OPT_SORT_KEYS | orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS


def _default(value: Any) -> Any:
    """Turn what JSON does not know into something it knows."""
    for method in ("model_dump", "as_dict"):
        if hasattr(value, method):
            return getattr(value, method)()
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    if isinstance(value, np.ndarray):  # not contiguous, or of a type that orjson refuses
        return value.tolist()
    if isinstance(value, bytes):
        return hashlib.sha256(value).hexdigest()
    raise TypeError(f"cannot hash a value of type {type(value).__name__}")


def canonical_json(value: Any) -> bytes:
    """Serialise `value` with sorted keys and the shortest exact floats (UTF-8 bytes)."""
    return orjson.dumps(value, default=_default, option=_OPTIONS)


def content_hash(*parts: Any) -> str:
    """SHA-256 (64 hexadecimal digits) of the canonical JSON of `parts`."""
    return hashlib.sha256(canonical_json(parts)).hexdigest()


def make_id(prefix: str, *parts: Any) -> str:
    """Make a short stable identifier: ``prefix-`` and 16 lower-case base-32 digits (80 bits).

    Parameters
    ----------
    prefix
        What is identified, for instance ``cand`` or ``str``.
    *parts
        The content that the identifier stands for.
    """
    digest = hashlib.sha256(canonical_json(parts)).digest()[:10]
    return f"{prefix}-{b32encode(digest).decode().lower()}"


MAX_SEED = 2**63 - 1
"""Largest seed: MongoDB holds integers of 64 bits."""


def derive_seed(*parts: Any) -> int:
    """Derive an independent 32-bit seed from a campaign's seed and anything that names a task."""
    return int(content_hash(*parts)[:8], 16)
