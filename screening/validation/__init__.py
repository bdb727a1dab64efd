"""Validation by DFT: what it will cost, what is chosen, what came out, how it compares."""

from screening.validation.codes.gpaw import read_gpaw, structure_from_gpaw
from screening.validation.codes.vasp import (
    energy_source,
    phonon_calculations,
    read_calculation,
    structure_from_runs,
)
from screening.validation.compare import Comparison, Opinion, Thresholds, compare
from screening.validation.corrections import mp2020
from screening.validation.cost import CostModel, Estimate, RunSize, estimate_run, valence_electrons
from screening.validation.selection import Contender, Policy, Selection, select

__all__ = [
    "Comparison",
    "Contender",
    "CostModel",
    "Estimate",
    "Opinion",
    "Policy",
    "RunSize",
    "Selection",
    "Thresholds",
    "compare",
    "energy_source",
    "estimate_run",
    "mp2020",
    "phonon_calculations",
    "read_calculation",
    "read_gpaw",
    "select",
    "structure_from_gpaw",
    "structure_from_runs",
    "valence_electrons",
]
