"""Former place of `makers.dft.gpaw`: databases name these classes by it."""

from makers.dft.gpaw import GpawRelaxMaker, GpawStaticMaker, GpawTaskDoc

__all__ = ["GpawRelaxMaker", "GpawStaticMaker", "GpawTaskDoc"]
