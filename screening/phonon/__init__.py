"""Phonons and dynamic stability with a potential, any ASE calculator, or forces from elsewhere."""

from screening.phonon.calculation import phonons
from screening.phonon.forces import (
    ForceConstants,
    PhononPlan,
    judge_force_constants,
    not_computed,
    plan_phonons,
)
from screening.phonon.options import PhononOptions

__all__ = [
    "ForceConstants",
    "PhononOptions",
    "PhononPlan",
    "judge_force_constants",
    "not_computed",
    "phonons",
    "plan_phonons",
]
