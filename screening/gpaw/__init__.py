"""Plane-wave PBE with GPAW, the DFT code that anyone can install (docs/gpaw.md)."""

from screening.gpaw.calculator import make_calculator, parameters
from screening.gpaw.document import describe, relaxation
from screening.gpaw.installation import fault, require, versions
from screening.gpaw.restart import TRAJECTORY, resume
from screening.gpaw.settings import GpawSettings

__all__ = [
    "TRAJECTORY",
    "GpawSettings",
    "describe",
    "fault",
    "make_calculator",
    "parameters",
    "relaxation",
    "require",
    "resume",
    "versions",
]
