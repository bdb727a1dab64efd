"""Former place of `makers.dft.vasp`: databases name these classes by it."""

from makers.dft.vasp import PaperRelaxSet, PaperStaticSet

__all__ = ["PaperRelaxSet", "PaperStaticSet"]
