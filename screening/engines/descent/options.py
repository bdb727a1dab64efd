"""What a relaxation does: literal defaults, part of the identity of its results."""

from __future__ import annotations

from dataclasses import dataclass

from screening.errors import InputError

PRESSURES = (-50.0, 1000.0)
"""Lowest and highest target pressure (GPa); beyond, it is another unit."""


@dataclass(frozen=True)
class RelaxOptions:
    """How structures are relaxed.

    Attributes
    ----------
    fmax
        Converged when no atom feels more than this (eV/Angstrom) ...
    max_stress
        ... and no component of the stress is further than this from the target (GPa).
    max_steps
        Most evaluations of one structure.
    pressure
        Target pressure (GPa); below 0 the crystal is under tension. The cell then relaxes to this
        hydrostatic stress, which minimises the enthalpy.
    relax_cell
        Whether the cell moves too.
    fix_symmetry
        Keep the space group that the structure has within `symprec`: the structure is first
        symmetrised, then only symmetric forces and stresses act. Without it, atoms stop within some
        0.01 Angstrom of symmetric positions, which a tight tolerance does not recognise. In a cell
        that is not primitive only the operations that keep that cell are known.
    symprec
        Distance tolerance for the symmetry (Angstrom).
    batch_size
        Structures that are relaxed together. Part of the result (rounding), unlike the number of
        processes. 16 is good for a CPU core, hundreds for a GPU.
    min_distance_ratio
        Collapsed: two atoms closer than this times the sum of their covalent radii.
    min_volume_per_atom
        Collapsed: less volume than this (Angstrom^3/atom).
    max_volume_change
        Exploded, or collapsed: the volume became this many times larger, or smaller.
    max_force
        Exploded: an atom feels more than this (eV/Angstrom).
    keep_trajectory
        Keep energy, force and volume of every step.
    """

    fmax: float = 0.05
    max_stress: float = 0.1
    max_steps: int = 500
    pressure: float = 0.0
    relax_cell: bool = True
    fix_symmetry: bool = False
    symprec: float = 0.01
    batch_size: int = 16
    min_distance_ratio: float = 0.5
    min_volume_per_atom: float = 2.0
    max_volume_change: float = 4.0
    max_force: float = 1000.0
    keep_trajectory: bool = True

    def __post_init__(self) -> None:
        low, high = PRESSURES
        if not low <= self.pressure <= high:
            raise InputError(
                f"RelaxOptions: pressure={self.pressure} must be from {low:g} to {high:g} GPa"
            )
        if self.pressure and not self.relax_cell:
            raise InputError(
                f"RelaxOptions: pressure={self.pressure} GPa needs a cell that moves (relax_cell)"
            )
        for name in ("fmax", "max_stress", "symprec", "max_force", "max_volume_change"):
            if not getattr(self, name) > 0:
                raise InputError(f"RelaxOptions: {name}={getattr(self, name)} must be above 0")
        for name in ("max_steps", "batch_size"):
            if getattr(self, name) < 1:
                raise InputError(f"RelaxOptions: {name}={getattr(self, name)} must be at least 1")
        for name in ("min_distance_ratio", "min_volume_per_atom"):
            if getattr(self, name) < 0:
                raise InputError(f"RelaxOptions: {name}={getattr(self, name)} is negative")
