"""GPAW's parameters for a crystal."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from screening.gpaw.installation import require

if TYPE_CHECKING:
    from ase import Atoms
    from pymatgen.core import Structure

    from screening.gpaw.settings import GpawSettings

WEAK_MOMENT = 0.6
"""Starting moment (mu_B) of atoms without one of their own in a spin-polarised crystal."""


def parameters(structure: Structure, settings: GpawSettings) -> dict[str, Any]:
    """Return what is given to GPAW, as plain data.

    Parameters
    ----------
    structure
        An ordered crystal; its site property ``magmom`` (mu_B) decides the starting moments.
    settings
        The method.
    """
    from pymatgen.io.vasp.inputs import Kpoints

    mesh = Kpoints.automatic_density_by_vol(structure, settings.kpoint_density, force_gamma=True)
    return {
        "mode": {"name": "pw", "ecut": settings.cutoff},
        "xc": settings.xc,
        "kpts": {"size": [int(n) for n in mesh.kpts[0]], "gamma": True},
        "occupations": {"name": "methfessel-paxton", "order": 0, "width": settings.smearing},
        "convergence": {
            "energy": settings.energy_tolerance,
            "density": settings.density_tolerance,
        },
        "symmetry": {"symmorphic": False},
        "spinpol": is_polarised(structure, settings),
    }


def is_polarised(structure: Structure, settings: GpawSettings) -> bool:
    """Tell whether spin is computed."""
    if settings.spin != "auto":
        return settings.spin == "on"
    given = structure.site_properties.get("magmom")
    if given is not None:
        return any(moment for moment in given)
    return any(element.symbol in _moments() for element in structure.composition)


def starting_moments(structure: Structure) -> list[float]:
    """Return the moments (mu_B) that a spin-polarised calculation starts from."""
    given = structure.site_properties.get("magmom")
    if given is not None:
        return [float(moment or 0.0) for moment in given]
    return [_moments().get(site.specie.symbol, WEAK_MOMENT) for site in structure]


@cache
def _moments() -> dict[str, float]:
    """Return starting moments of elements in the Materials Project's settings."""
    from pymatgen.io.vasp.sets import MPRelaxSet

    listed = MPRelaxSet.CONFIG["INCAR"]["MAGMOM"]
    closed = {"La", "Lu"}  # no open d or f shell
    return {
        name: float(moment)
        for name, moment in listed.items()
        if name.isalpha() and name not in closed
    }


def make_calculator(structure: Structure, settings: GpawSettings, txt: str | None) -> Any:
    """Make GPAW for a crystal.

    Parameters
    ----------
    structure
        The crystal; the mesh and the symmetry are those of this cell.
    settings
        The method.
    txt
        File for GPAW's own words; None for nowhere.

    Raises
    ------
    EngineError
        If GPAW is not installed.
    """
    require()
    from gpaw import GPAW

    return GPAW(**parameters(structure, settings), txt=txt)


def set_moments(atoms: Atoms, structure: Structure, settings: GpawSettings) -> None:
    """Give atoms the starting moments of their crystal."""
    if is_polarised(structure, settings):
        atoms.set_initial_magnetic_moments(starting_moments(structure))
    else:
        atoms.set_initial_magnetic_moments(None)
