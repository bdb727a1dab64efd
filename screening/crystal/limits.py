"""Limits that all methods share."""

from __future__ import annotations

DEFAULT_MAX_ATOMS = 20
