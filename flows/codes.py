"""The DFT codes behind one interface: what they need, and their flows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from db_config import get_settings
from db_config.vasp import require_vasp

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pymatgen.core import Structure

    from makers.calculation import CalculationFlow
    from makers.validation import ValidationMaker
    from screening.gpaw import GpawSettings
    from screening.phonon import PhononPlan


def relaxation(maker: ValidationMaker, structure: Structure, label: str) -> CalculationFlow:
    """Return the flow that relaxes a structure and computes its energy."""
    if maker.code == "gpaw":
        from makers import gpaw_flows

        return gpaw_flows.relaxation_flow(structure, _gpaw_settings(maker), label)
    from makers import vasp_flows

    return vasp_flows.relaxation_flow(structure, maker.vasp_options(), label)


def phonons(maker: ValidationMaker, plan: PhononPlan, label: str, *, born: bool) -> CalculationFlow:
    """Return the flow that computes the forces of a plan; GPAW computes no Born charges here."""
    if maker.code == "gpaw":
        from makers import gpaw_flows

        return gpaw_flows.phonon_flow(
            plan.primitive,
            plan.supercell,
            _gpaw_settings(maker),
            label,
            displacement=maker.displacement,
        )
    from makers import vasp_flows

    return vasp_flows.phonon_flow(
        plan, maker.vasp_options(), label, displacement=maker.displacement, born=born
    )


def _gpaw_settings(maker: ValidationMaker) -> GpawSettings:
    from screening.gpaw import GpawSettings

    return GpawSettings(cutoff=maker.gpaw_cutoff)


def require(maker: ValidationMaker, elements: Iterable[str]) -> None:
    """Find out now what every calculation would fail of.

    Raises
    ------
    ConfigError, EngineError
        If VASP, a POTCAR or GPAW is missing.
    """
    wanted = sorted(set(elements))
    if not wanted:
        return
    if maker.code == "gpaw":
        maker.check()
        return
    from makers.vasp import FAMILY, potcars

    options = maker.vasp_options()
    symbols = potcars(options.settings)
    require_vasp(
        (symbols[element] for element in wanted),
        FAMILY[options.settings],
        allow_emulator=get_settings().allow_emulator,
    )
