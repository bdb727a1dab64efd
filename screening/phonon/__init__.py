"""Phonons and dynamic stability with a machine-learned potential or any ASE calculator."""

from screening.phonon.calculation import phonons
from screening.phonon.options import PhononOptions

__all__ = ["PhononOptions", "phonons"]
