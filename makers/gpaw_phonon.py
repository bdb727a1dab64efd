"""Former place of `makers.dft.gpaw_phonon`: databases name this class by it."""

from makers.dft.gpaw_phonon import GpawPhononMaker

__all__ = ["GpawPhononMaker"]
