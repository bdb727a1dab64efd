"""Makers that are still to run after each step of a campaign.

Each step is handed the Makers that it starts, and what follows them as `then`; None ends the
campaign. So a job on a LaunchPad holds only what is left, and a step knows no stage by name.
"""

from __future__ import annotations

from dataclasses import dataclass

from monty.json import MSONable

from makers.hull import HullMaker
from makers.phonon import PhononMaker
from makers.references import ReferencesMaker
from makers.relax import RelaxMaker
from makers.stability import StabilityMaker
from makers.structure import StructureMaker
from makers.symmetry import SymmetryMaker
from makers.validation import ValidationMaker


@dataclass
class PhononSection(MSONable):
    """Phonons of the best crystals, and their validation by DFT unless `validation` is None."""

    phonon: PhononMaker
    validation: ValidationMaker | None


@dataclass
class HullSection(MSONable):
    """Hulls of the relaxed crystals at a pressure (GPa), and probabilities of stability if any."""

    hull: HullMaker
    pressure: float
    then: PhononSection | None
    stability: StabilityMaker | None = None


@dataclass
class RelaxSection(MSONable):
    """Relaxation of candidates and competing phases."""

    relax: RelaxMaker
    then: HullSection | None


@dataclass
class StructureSection(MSONable):
    """Structures of the candidates at a pressure (GPa), and their competing phases if any."""

    symmetry: SymmetryMaker
    structure: StructureMaker
    references: ReferencesMaker | None
    pressure: float
    then: RelaxSection | None
